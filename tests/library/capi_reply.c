/* An answer split by the library. capi_reply MODEL chat|generate|raw [STOP [THINKING_BUDGET]]: prints what each callback
 * and function gave. */
#include <ogas/ogas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOLS "[{\"type\": \"function\", \"function\": {\"name\": \"write_file\", \"description\": \"Writes.\", \"parameters\": {}}}]"
#define MESSAGES "[{\"role\": \"user\", \"content\": \"Go\"}]"

#define OK(call)                                                                        \
  do {                                                                                  \
    if ((call) != OGAS_OK) {                                                            \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, ogas_last_error()); \
      exit(1);                                                                          \
    }                                                                                   \
  } while (0)

typedef struct shown {
  char text[1000], reasoning[1000];
} shown;

static int on_text(const char* text, size_t n_bytes, void* user) {
  (void)n_bytes;
  strcat(((shown*)user)->text, text);
  return 0;
}

static int on_reasoning(const char* text, size_t n_bytes, void* user) {
  (void)n_bytes;
  strcat(((shown*)user)->reasoning, text);
  return 0;
}

int main(int argc, char** argv) {
  ogas_engine* engine;
  ogas_session* session;
  ogas_generate_options options;
  ogas_conversation conversation;
  ogas_tool_call call;
  shown seen;
  int32_t* tokens;
  size_t n_tokens, idx;

  if (argc < 3) return 2;
  memset(&seen, 0, sizeof(seen));
  OK(ogas_engine_load(argv[1], NULL, NULL, NULL, &engine));
  OK(ogas_session_new(engine, &session));
  OK(ogas_generate_options_init(engine, &options, sizeof(options)));
  options.temperature = 0;
  options.max_tokens = 100;
  if (argc > 3 && *argv[3]) {
    options.stop = (const char* const*)&argv[3];
    options.n_stop = 1;
  }
  if (argc > 4) options.thinking_budget = strcmp(argv[4], "none") == 0 ? OGAS_NO_THINKING : atoi(argv[4]);
  if (strcmp(argv[2], "raw") != 0) {
    options.splits_reply = 1;
    options.tools = TOOLS;
    options.on_reasoning = on_reasoning;
  }
  if (strcmp(argv[2], "generate") == 0) {
    OK(ogas_conversation_init(&conversation, sizeof(conversation)));
    conversation.messages = MESSAGES;
    OK(ogas_encode_chat(engine, &conversation, &tokens, &n_tokens));
    OK(ogas_generate(session, tokens, n_tokens, &options, on_text, &seen));
    ogas_free(tokens);
  } else {
    OK(ogas_chat(session, "Go", &options, on_text, &seen));
  }
  printf("shown [%s] [%s]\n", seen.reasoning, seen.text);
  printf("whole [%s] [%s]\n", ogas_session_reasoning(session, NULL), ogas_session_text(session, NULL));
  for (idx = 0; idx < ogas_session_n_tool_calls(session); ++idx) {
    OK(ogas_session_tool_call(session, idx, &call, sizeof(call)));
    printf("call %s %s %lu %d\n", call.name, call.arguments, (unsigned long)call.n_bytes, call.is_whole);
  }
  if (ogas_session_tool_call(session, idx, &call, sizeof(call)) != OGAS_ERROR_USAGE) return 1;
  ogas_session_free(session);
  ogas_engine_free(engine);
  return 0;
}
