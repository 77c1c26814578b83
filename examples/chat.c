/* A conversation: chat MODEL.gguf, then one message a line. Ctrl-C ends an answer, or the program if there is none.
 *
 *   cc -std=c89 chat.c -o chat $(pkg-config --cflags --libs ogas)
 */
#include <ogas/ogas.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
  interrupted = 1;
  signal(number, SIG_DFL);
}

static int show_progress(double share, void* user) {
  (void)user;
  fprintf(stderr, "\rloading %3.0f%%", 100 * share);
  return 0;
}

static int print(const char* text, size_t n_bytes, void* user) {
  fwrite(text, 1, n_bytes, (FILE*)user);
  fflush((FILE*)user);
  return interrupted;
}

static int fail(const char* what) {
  fprintf(stderr, "\n%s: %s\n", what, ogas_last_error());
  return 1;
}

int main(int argc, char** argv) {
  ogas_engine* engine = NULL;
  ogas_session* session = NULL;
  ogas_generate_options options;
  ogas_stats stats;
  char line[4096];

  if (argc != 2) return fputs("usage: chat MODEL.gguf\n", stderr), 2;
  if (ogas_engine_load(argv[1], NULL, show_progress, NULL, &engine)) return fail(argv[1]);
  if (ogas_session_new(engine, &session)) return fail("session");
  if (ogas_generate_options_init(engine, &options, sizeof(options))) return fail("options");
  options.temperature = 0; /* always the likeliest token, so that the answer is the same every time */
  options.max_tokens = 100;

  while (fputs("\n> ", stderr), fgets(line, sizeof(line), stdin)) {
    line[strcspn(line, "\n")] = '\0';
    interrupted = 0;
    signal(SIGINT, interrupt);
    if (ogas_chat(session, line, &options, print, stdout)) return fail("answer");
    signal(SIGINT, SIG_DFL);
    putchar('\n');
    if (ogas_session_stats(session, &stats, sizeof(stats))) return fail("stats");
    fprintf(stderr, "(%u + %u tokens, %u of them remembered, %.1f s)\n", (unsigned)stats.n_prompt,
            (unsigned)stats.n_generated, (unsigned)stats.n_cached, stats.prefill_seconds + stats.decode_seconds);
  }
  ogas_session_free(session);
  ogas_engine_free(engine);
  return 0;
}
