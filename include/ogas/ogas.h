/* ogas as a library: open-weight language models on ordinary processors, for C, and for all that calls C.
 *
 *   ogas_engine *engine;
 *   ogas_session *session;
 *   if (ogas_engine_load("model.gguf", NULL, NULL, NULL, &engine) != OGAS_OK ||
 *       ogas_session_new(engine, &session) != OGAS_OK ||
 *       ogas_chat(session, "Why is the sky blue?", NULL, print, NULL) != OGAS_OK)
 *     fprintf(stderr, "%s\n", ogas_last_error());
 *
 * An engine is a loaded model. A session is one conversation with it; sessions of an engine are answered side by side,
 * and each gets the answer that it would get alone. examples/chat.c and examples/chat.py are whole programs.
 *
 * Threads: an engine may be used by any number of threads at once. A session may be used by any thread, but by one at a
 * time; only ogas_cancel may be called during another function. A violation gives OGAS_ERROR_UNAVAILABLE
 * if a request is running. Callbacks run on the thread that called, and may call what they like, but must not free the
 * engine or the session that they are called for, nor leave by longjmp or an exception. Not after fork(), in the child,
 * with what the parent made; nor from signal handlers: set a flag there and look at it in the callback.
 *
 * Errors: what returns an ogas_status succeeded with OGAS_OK, 0. Otherwise nothing it was to give back was written, and
 * ogas_last_error() says on the same thread what was found, what was expected and where. A NULL where something is
 * needed is OGAS_ERROR_USAGE; functions that free take NULL as free() does. Nothing here prints, exits or throws. (A
 * broken invariant, which is a bug in ogas, ends the program with a message rather than give wrong answers.)
 *
 * Text is UTF-8. Lengths are in bytes; OGAS_NUL_TERMINATED stands for that of a string that ends with a zero. Text that
 * comes out ends with a zero, too, which is not counted.
 *
 * Structs begin with their size, so that they can grow: have their *_init function fill them in, with sizeof, then
 * change what you like. What this library does not know must be zero (else OGAS_ERROR_UNSUPPORTED).
 *
 * The ABI version changes when a program built for another one would break, and is part of the library's file name
 * (libogas.so.1). New functions, new fields at the end of structs and new status codes do not change it.
 */
#ifndef OGAS_OGAS_H
#define OGAS_OGAS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#define OGAS_API __attribute__((visibility("default")))
#else
#define OGAS_API
#endif

/* Fields with two names are unions without one, which C has since 2011. */
#ifdef __GNUC__
#define OGAS_EXTENSION __extension__
#else
#define OGAS_EXTENSION
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define OGAS_ABI_VERSION 1

/* OGAS_ABI_VERSION of the library that is loaded: to be compared with the header's by who loads it with dlopen. */
OGAS_API int ogas_abi_version(void);
/* "0.1.0", of the library; static. */
OGAS_API const char* ogas_version(void);

/* ---- Errors ---- */

typedef enum ogas_status {
  OGAS_OK = 0,
  OGAS_ERROR_USAGE = 1,         /* the call itself is wrong: a NULL, a value out of range, a prompt that is too long */
  OGAS_ERROR_BAD_FILE = 2,      /* a model file, or a template on a conversation, breaks its own rules */
  OGAS_ERROR_OUT_OF_MEMORY = 3, /* found out before anything large was allocated */
  OGAS_ERROR_UNSUPPORTED = 4,   /* well-formed, but this library does not know it */
  OGAS_ERROR_NOT_FOUND = 5,     /* no such file */
  OGAS_ERROR_IO = 6,            /* the operating system refused */
  OGAS_ERROR_CANCELLED = 7,     /* a callback stopped loading. (A cancelled answer is not an error.) */
  OGAS_ERROR_UNAVAILABLE = 8,   /* not now: too many requests are waiting, or the session is busy */
  OGAS_ERROR_INTERNAL = 9       /* an exception that should not have been: a bug in ogas */
} ogas_status;

/* "usage", "bad_file", ...; "unknown" for other numbers. Static. */
OGAS_API const char* ogas_status_name(ogas_status status);
/* Why the last call on this thread that failed did so; "" where none has. Valid until the next one that fails. */
OGAS_API const char* ogas_last_error(void);

/* Frees text and tokens that a function of this library allocated. */
OGAS_API void ogas_free(void* memory);

/* ---- Engines ---- */

typedef struct ogas_engine ogas_engine;

typedef struct ogas_engine_options {
  size_t size;
  uint32_t n_ctx;     /* tokens that a prompt and its answer may have together; 0: the model's own limit, or less
                         where memory is short */
  uint32_t n_batch;   /* tokens of prompts that are computed together; 0: as suits the model */
  uint32_t n_threads; /* 0: one for each core that this process may use */
  uint32_t n_running; /* requests that are computed side by side at most; 0: 32 */
  uint32_t n_waiting; /* maximum number of waiting requests, more are refused; 0: 256 */
  uint64_t kv_budget; /* bytes of KV cache for all requests; 0: half of what the weights leave free */
  OGAS_EXTENSION union {
    const char* kv_cache_type; /* format of the KV cache: "f16", "bf16", "f32", "q8_0", "q4_0"; NULL: "f16" */
    const char* kv_type;       /* its former name */
  };
  const char* chat_template; /* Jinja source instead of the model's own; NULL: its own */
  const char* prefix_folder; /* where the KV cache of prompts is kept for later starts; NULL: nowhere */
  OGAS_EXTENSION union {
    uint64_t prefix_cache;  /* bytes that it may take there, of all models together; 0: none */
    uint64_t prefix_budget; /* its former name */
  };

  uint64_t ram;          /* limit on the memory of this process, in bytes; 0: what is free. Experts that do not fit
                            are read from disk when tokens need them; the answers are the same */
  uint64_t expert_cache; /* read experts from disk in any case, with a cache of this many bytes (or the smallest that
                            works); 0: only if they do not fit, with all memory that is left */
  OGAS_EXTENSION union {
    uint32_t n_expert_used; /* experts of a layer that a token uses, fewer than the model was trained with: faster, with
                               other answers; 0: the model's own number */
    uint32_t n_experts;     /* its former name */
  };
  OGAS_EXTENSION union {
    float min_expert_weight; /* the same for experts to which the router gives less than this share, 0 to below 1, a
                                token's best one aside; 0: none is left out */
    float min_weight;        /* its former name */
  };
  const char* const* mirrors; /* n_mirrors folders with copies of the model's files on other disks: where experts are
                                 read from disk, from all of them */
  size_t n_mirrors;
  const char* expert_prefetch; /* whether experts are read from disk that the next layer is only expected to take: "on",
                             "off", "auto" (if it mostly does); NULL: "auto" */
  const char* experts_folder;  /* where it is kept which experts tokens took, so that later starts begin with those in
                                  memory; NULL: nowhere */
} ogas_engine_options;

/* Fills in the defaults, as if every field but size were zero. size: sizeof(ogas_engine_options). */
OGAS_API ogas_status ogas_engine_options_init(ogas_engine_options* options, size_t size);

/* Called while a model loads with the share that is done, 0 to 1: before each file is opened, while the tokenizer is
 * made, and every few megabytes of weights. Anything but 0 stops it: it is not called again, ogas_engine_load returns
 * OGAS_ERROR_CANCELLED at once, and nothing is left of the model. */
typedef int (*ogas_progress_callback)(double share, void* user);

/* Loads a model and starts its threads. path: a .gguf file (of a split one the first part), or a folder as Hugging Face
 * publishes it. options, progress: may be NULL; what options point to is read here and not kept. *engine is to be freed
 * with ogas_engine_free. Errors: OGAS_ERROR_USAGE (an option out of range; n_expert_used or min_expert_weight for a
 * model without experts), OGAS_ERROR_OUT_OF_MEMORY (with what it needs and what there is), OGAS_ERROR_NOT_FOUND (the
 * model; its copy in a mirror), OGAS_ERROR_IO, OGAS_ERROR_BAD_FILE, OGAS_ERROR_UNSUPPORTED, OGAS_ERROR_CANCELLED. */
OGAS_API ogas_status ogas_engine_load(const char* path, const ogas_engine_options* options,
                                      ogas_progress_callback progress, void* user, ogas_engine** engine);
/* Its memory and threads go as soon as no session of it is left. */
OGAS_API void ogas_engine_free(ogas_engine* engine);

/* Tokens of context, and ids of tokens (0 to n_vocab - 1); 0 for NULL. */
OGAS_API uint32_t ogas_engine_n_ctx(const ogas_engine* engine);
OGAS_API uint32_t ogas_engine_n_vocab(const ogas_engine* engine);

/* ---- Text and tokens ---- */

#define OGAS_NUL_TERMINATED ((size_t)-1)

/* Flags of ogas_tokenize. */
#define OGAS_PARSE_SPECIAL 1u /* read special tokens such as <|im_end|> in the text. Never for what somebody typed */
#define OGAS_ADD_SPECIAL 2u   /* put those tokens around it that the model wants there */

/* Text as tokens. *tokens is to be freed with ogas_free, also where *n_tokens is 0. Invalid UTF-8 is accepted,
 * too. Errors: OGAS_ERROR_UNSUPPORTED (the model has no tokenizer). */
OGAS_API ogas_status ogas_tokenize(const ogas_engine* engine, const char* text, size_t n_bytes, unsigned flags,
                                   int32_t** tokens, size_t* n_tokens);
/* Tokens as text; special ones by their names. The bytes are exact and may end within a character. *text is to be freed
 * with ogas_free; n_bytes: may be NULL. */
OGAS_API ogas_status ogas_detokenize(const ogas_engine* engine, const int32_t* tokens, size_t n_tokens, char** text,
                                     size_t* n_bytes);

/* A conversation in OpenAI's form. Strings are JSON. */
typedef struct ogas_conversation {
  size_t size;
  const char* messages;          /* [{"role": "user", "content": "..."}, ...] */
  const char* tools;             /* [{"type": "function", "function": {...}}, ...]; NULL: none */
  const char* variables;         /* further ones for the template: {"enable_thinking": false}; NULL: none */
  int leaves_open;               /* 1: the text does not open the answer's turn */
  int parses_special_in_content; /* 1: special tokens are read in what messages say, too. Who wrote them can then end a
                                    turn, or speak as the system */
} ogas_conversation;

/* Everything zero but size: sizeof(ogas_conversation). */
OGAS_API ogas_status ogas_conversation_init(ogas_conversation* conversation, size_t size);

/* A conversation as the tokens of a prompt, by the model's template. Special tokens are read in what the template says,
 * and not in what messages say. *tokens is to be freed with ogas_free. Errors: OGAS_ERROR_USAGE (JSON),
 * OGAS_ERROR_UNSUPPORTED (no template, no tokenizer), OGAS_ERROR_BAD_FILE (the template refuses). */
OGAS_API ogas_status ogas_encode_chat(const ogas_engine* engine, const ogas_conversation* conversation,
                                      int32_t** tokens, size_t* n_tokens);
/* The same as text, to look at: it no longer shows who wrote what, so that prompts are better made by
 * ogas_encode_chat. *text is to be freed with ogas_free; n_bytes: may be NULL. */
OGAS_API ogas_status ogas_apply_template(const ogas_engine* engine, const ogas_conversation* conversation, char** text,
                                         size_t* n_bytes);

/* ---- Answers ---- */

typedef struct ogas_session ogas_session;

/* Called with each piece of an answer as it becomes certain: whole characters of valid UTF-8, ending with a zero. It
 * runs on the thread that asked, so that nobody else waits for it. Anything but 0 cancels, and it is not called again;
 * the answer may have grown by some tokens before that takes effect. */
typedef int (*ogas_text_callback)(const char* text, size_t n_bytes, void* user);

/* An element of an array: it does not grow. */
typedef struct ogas_logit_bias {
  int32_t token;
  float bias; /* -100 to 100, added to the model's logit */
} ogas_logit_bias;

#define OGAS_NO_THINKING (-2147483647)

typedef struct ogas_generate_options {
  size_t size;
  uint32_t max_tokens; /* longest answer; 0: until the context is full */
  OGAS_EXTENSION union {
    int ignore_eos; /* 1: continue after the model ends its answer */
    int ignore_end; /* its former name */
  };
  float temperature;        /* 0: always the likeliest token */
  uint32_t top_k;           /* keep the k likeliest; 0: all */
  float typical_p;          /* keep what surprises as expected, with this probability together; 1: all */
  float top_p;              /* keep the smallest set with this probability; 1: all */
  float min_p;              /* drop what is below this share of the likeliest; 0: none */
  float repetition_penalty; /* divides logits of recent tokens; 1: off */
  float frequency_penalty;  /* subtracted for each recent occurrence of a token */
  float presence_penalty;   /* subtracted if a token occurred recently */
  OGAS_EXTENSION union {
    uint32_t repeat_last_n;  /* how many of the last tokens, of prompt and answer, these three look at */
    uint32_t penalty_window; /* its former name */
  };
  uint64_t seed;           /* the same seed gives the same answer, whatever else is in the batch; UINT64_MAX, which
                              is -1: one is drawn */
  const char* const* stop; /* n_stop texts that end an answer and are not part of it; with splits_reply they are not
                              looked for in reasoning */
  size_t n_stop;
  double deadline_seconds; /* the answer ends so long after it was asked for; 0: never */
  int priority;            /* higher ones are computed first */
  const char* client;      /* clients of one priority get equal parts of the machine; NULL: as "" */

  const ogas_logit_bias* logit_bias; /* n_logit_bias of them, added first; several for one token add up */
  size_t n_logit_bias;
  const int32_t* banned_tokens; /* n_banned_tokens ids that are never drawn */
  size_t n_banned_tokens;
  const int32_t* required_tokens; /* n_required_tokens ids: no others are drawn; 0: any may be */
  size_t n_required_tokens;

  /* DRY ("don't repeat yourself"): if the last tokens repeat earlier ones, the token that followed there has
   * dry_multiplier * dry_base ^ (how many they are - dry_allowed_length) subtracted from its logit. */
  float dry_multiplier;        /* 0 to 100; 0: off */
  float dry_base;              /* 1 to 100; 0: 1.75 */
  uint32_t dry_allowed_length; /* repetitions of fewer tokens cost nothing */
  OGAS_EXTENSION union {
    uint32_t
        dry_penalty_last_n; /* how many of the last tokens, of prompt and answer, it looks at; 0 and UINT32_MAX: all */
    uint32_t dry_window;    /* its former name */
  };
  OGAS_EXTENSION union {
    const char* const* dry_sequence_breakers; /* n_dry_sequence_breakers texts, none of them "". No repetition continues
                                                 past a token that contains one; NULL: "\n", ":", "\"" and "*" */
    const char* const* dry_breakers;          /* its former name */
  };
  OGAS_EXTENSION union {
    size_t n_dry_sequence_breakers; /* 0 with dry_sequence_breakers that are not NULL: there are none */
    size_t n_dry_breakers;          /* its former name */
  };

  int logprobs; /* 1: ogas_session_logprob tells how likely the model held each token of the answer */
  uint32_t
      n_top_logprobs; /* also this many of the most probable tokens at each position; more than 0 implies logprobs */

  float xtc_probability; /* chance, at each token, to leave out all but the least likely of those with xtc_threshold */
  float xtc_threshold;   /* probability, 0 to 1 */
  uint32_t mirostat;     /* 2: Mirostat 2 instead of top_k, typical_p, top_p, min_p and XTC; 0: not */
  float mirostat_tau;    /* the surprise that it steers to, in bits; 0 to 100 */
  float mirostat_eta;    /* how fast it does; 0 to 1 */
  int context_shift;     /* 1: when the context is full, continue from its first n_keep tokens and its latest half */
  size_t n_keep;         /* default 4; at most what the other half holds */

  /* 1: the answer is split into reasoning, content and tool calls, by the marks that the model's chat template
   * shows. on_text and ogas_session_text then have the content alone, ogas_session_reasoning and ogas_session_tool_call
   * the rest. 0: the text is what the model wrote, marks that are text included. */
  int splits_reply;
  const char* tools; /* JSON, as in ogas_conversation: calls of these are recognised, and ogas_chat shows them to the
                        model; NULL: none */
  ogas_text_callback on_reasoning; /* gets further reasoning, as on_text gets content, with the same `user`; may be
                                      NULL */

  /* What the answer must look like (docs/STRUCTURED.md): at most one of these; NULL: anything. A model's reasoning
   * before the answer stays free. Where the answer is cut, it does not have its form. Errors: OGAS_ERROR_USAGE,
   * OGAS_ERROR_BAD_FILE (broken), OGAS_ERROR_UNSUPPORTED (cannot be enforced). */
  const char* json_schema;    /* the text of a JSON Schema that the answer satisfies; "{}": any JSON */
  const char* regex;          /* a pattern of ECMA 262 that the whole answer matches */
  const char* grammar;        /* a GBNF grammar */
  const char* const* choices; /* n_choices texts, of which the answer is one */
  size_t n_choices;

  /* Of `tools`. A call that has begun keeps to one of them, and to the schema of its arguments (docs/STRUCTURED.md). */
  const char* tool_choice; /* "auto" or NULL: text, calls, or both; "required": calls; else the name of the tool that is
                              called */
  size_t max_tool_calls;   /* in one answer; 0: any number */

  int thinking_budget; /* tokens of reasoning at most, by the marks of the model's chat template; 0 and -1: no limit;
                          OGAS_NO_THINKING: none */
  int unused;          /* 0 */
} ogas_generate_options;

/* Fills in what the model's publisher recommends, seed 0 and no limit; what has to do with DRY, XTC and Mirostat is off
 * and has the values that the field uses once they are switched on. size: sizeof(ogas_generate_options). */
OGAS_API ogas_status ogas_generate_options_init(const ogas_engine* engine, ogas_generate_options* options, size_t size);

/* A conversation with no messages yet. *session is to be freed with ogas_session_free. */
OGAS_API ogas_status ogas_session_new(ogas_engine* engine, ogas_session** session);
/* Not while a request of it runs. */
OGAS_API void ogas_session_free(ogas_session* session);

/* Answers a prompt of tokens, and returns when the answer ends. It knows nothing of the session's messages, nor they of
 * it. options: NULL for the defaults; what they point to is read before the answer begins, and not kept. on_text: may
 * be NULL. What is computed of a prompt is shared with later ones that begin alike, as far as memory goes
 * (ogas_stats.n_cached). Errors: OGAS_ERROR_USAGE (empty, longer than the context, an id or an option out of range, no
 * token left that may be drawn), OGAS_ERROR_UNAVAILABLE (too many requests are waiting; the session is busy),
 * OGAS_ERROR_UNSUPPORTED (dry_sequence_breakers for a model without a tokenizer), OGAS_ERROR_OUT_OF_MEMORY. */
OGAS_API ogas_status ogas_generate(ogas_session* session, const int32_t* tokens, size_t n_tokens,
                                   const ogas_generate_options* options, ogas_text_callback on_text, void* user);
/* Says this as the user, and answers; both become messages of the session, also where the answer is cancelled. After an
 * error the messages are those from before. Errors: as ogas_generate and ogas_encode_chat; OGAS_ERROR_USAGE for text
 * that is not UTF-8. */
OGAS_API ogas_status ogas_chat(ogas_session* session, const char* text, const ogas_generate_options* options,
                               ogas_text_callback on_text, void* user);
/* Adds a message without answering: a "system" one at the beginning, or those of an earlier conversation. */
OGAS_API ogas_status ogas_session_add(ogas_session* session, const char* role, const char* content);
/* Forgets all messages. */
OGAS_API ogas_status ogas_session_clear(ogas_session* session);

/* Ends the session's request with what it has so far, after the step that is being computed (a batch of the prompt or a
 * token). From any thread. Without a request it does nothing, and has no effect on a later one. */
OGAS_API void ogas_cancel(ogas_session* session);

/* ---- What there is to know of the last answer ---- */

/* Before the first, and after an error, it is "", with no tokens and OGAS_FINISH_NONE.
 *
 * Its text and its tokens, without the one that ended it. Valid until the session's next request. */
OGAS_API const char* ogas_session_text(const ogas_session* session, size_t* n_bytes);
OGAS_API const int32_t* ogas_session_tokens(const ogas_session* session, size_t* n_tokens);

/* Of a request with splits_reply: what the model thought before it answered; "" where it did not. Valid until the
 * session's next request. */
OGAS_API const char* ogas_session_reasoning(const ogas_session* session, size_t* n_bytes);

typedef struct ogas_tool_call {
  size_t size;
  const char* name;
  const char* arguments; /* n_bytes of JSON, an object where the call is whole */
  size_t n_bytes;
  int is_whole; /* 0: the answer was cut within it */
  int unused;   /* 0 */
} ogas_tool_call;

/* Of a request with splits_reply: calls of its tools, in order; 0 for NULL. */
OGAS_API size_t ogas_session_n_tool_calls(const ogas_session* session);
/* Call number call_idx, from 0; its texts are valid until the session's next request. size: sizeof(ogas_tool_call).
 * Errors: OGAS_ERROR_USAGE (there is no such call). */
OGAS_API ogas_status ogas_session_tool_call(const ogas_session* session, size_t call_idx, ogas_tool_call* call,
                                            size_t size);

#define OGAS_RANK_CHOSEN 0 /* the token of the answer */

typedef struct ogas_logprob {
  size_t size;
  int32_t token;
  float logprob;     /* natural logarithm of its probability by the model's own logits: no bias, penalty, temperature */
  const char* bytes; /* the token's n_bytes as ogas_detokenize gives them, perhaps a part of a character; no zero
                        follows. The engine's: valid as long as the session. "" where the model has no tokenizer */
  size_t n_bytes;
  size_t n_top; /* how many of the most probable tokens are known at this position: ranks 1 to n_top, fewer than were
                   asked for where the model holds fewer possible */
} ogas_logprob;

/* How likely token number token_idx of the last answer (from 0) was: rank OGAS_RANK_CHOSEN; and which were likeliest in
 * its place: rank 1 the likeliest, 2 the next. size: sizeof(ogas_logprob). Errors: OGAS_ERROR_USAGE (no such token or
 * rank; the request did not ask for logprobs). */
OGAS_API ogas_status ogas_session_logprob(const ogas_session* session, size_t token_idx, size_t rank,
                                          ogas_logprob* logprob, size_t size);

#define OGAS_FINISH_NONE 0      /* there was no answer */
#define OGAS_FINISH_STOP 1      /* the model ended it */
#define OGAS_FINISH_STOP_TEXT 2 /* one of the options' texts came up */
#define OGAS_FINISH_LENGTH 3    /* max_tokens, or the context is full */
#define OGAS_FINISH_CANCELLED 4 /* by ogas_cancel, or by a callback */
#define OGAS_FINISH_DEADLINE 5  /* its time was over */

typedef struct ogas_stats {
  size_t size;
  int finish;                 /* OGAS_FINISH_... */
  uint32_t n_prompt;          /* tokens of the prompt */
  uint32_t n_cached;          /* of these, remembered and not computed again */
  uint32_t n_generated;       /* tokens drawn, the ending one included */
  double first_token_seconds; /* from when its turn came to the first token */
  double prefill_seconds;     /* from when its turn came to the end of the prompt */
  double decode_seconds;      /* from there to the end */
  double compute_seconds;     /* its share of the time of the passes that it was computed in */
  uint64_t n_computed;        /* tokens computed for it, rejected drafts included */
} ogas_stats;

/* size: sizeof(ogas_stats). */
OGAS_API ogas_status ogas_session_stats(const ogas_session* session, ogas_stats* stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
