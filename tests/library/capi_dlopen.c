/* The library as a plug-in meets it: opened at run time, twice, and closed again. capi_dlopen LIBRARY MODEL */
#include <dlfcn.h>
#include <ogas/ogas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

/* ISO C knows no way from an object's pointer to a function's; POSIX asks for this one. */
#define FIND(function) EXPECT((*(void**)& function = dlsym(library, "ogas_" #function)) != NULL)

static int count(const char* text, size_t n_bytes, void* user) {
  EXPECT(strlen(text) == n_bytes);
  *(size_t*)user += n_bytes;
  return 0;
}

static void use(const char* path, const char* model) {
  int (*abi_version)(void);
  const char* (*last_error)(void);
  ogas_status (*engine_load)(const char*, const ogas_engine_options*, ogas_progress_callback, void*, ogas_engine**);
  ogas_status (*engine_options_init)(ogas_engine_options*, size_t);
  void (*engine_free)(ogas_engine*);
  ogas_status (*session_new)(ogas_engine*, ogas_session**);
  void (*session_free)(ogas_session*);
  ogas_status (*tokenize)(const ogas_engine*, const char*, size_t, unsigned, int32_t**, size_t*);
  ogas_status (*generate_options_init)(const ogas_engine*, ogas_generate_options*, size_t);
  ogas_status (*generate)(ogas_session*, const int32_t*, size_t, const ogas_generate_options*, ogas_text_callback,
                          void*);
  const char* (*session_text)(const ogas_session*, size_t*);
  void (*free_memory)(void*);
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ogas_engine_options engine_options;
  ogas_generate_options options;
  ogas_engine* engine = NULL;
  ogas_session* session = NULL;
  int32_t* tokens = NULL;
  size_t n_tokens = 0, n_shown = 0, n_bytes = 0;

  if (!library) fprintf(stderr, "%s\n", dlerror());
  EXPECT(library);
  FIND(abi_version);
  FIND(last_error);
  FIND(engine_load);
  FIND(engine_options_init);
  FIND(engine_free);
  FIND(session_new);
  FIND(session_free);
  FIND(tokenize);
  FIND(generate_options_init);
  FIND(generate);
  FIND(session_text);
  EXPECT((*(void**)& free_memory = dlsym(library, "ogas_free")) != NULL);

  EXPECT(abi_version() == OGAS_ABI_VERSION);
  EXPECT(strcmp(last_error(), "") == 0);
  EXPECT(engine_load("/nowhere/model.gguf", NULL, NULL, NULL, &engine) == OGAS_ERROR_NOT_FOUND);
  EXPECT(engine == NULL && strstr(last_error(), "/nowhere/model.gguf"));
  EXPECT(engine_options_init(&engine_options, sizeof(engine_options)) == OGAS_OK);
  engine_options.n_ctx = 256;
  EXPECT(engine_load(model, &engine_options, NULL, NULL, &engine) == OGAS_OK);
  EXPECT(session_new(engine, &session) == OGAS_OK);
  EXPECT(tokenize(engine, "Once upon a time", OGAS_NUL_TERMINATED, 0, &tokens, &n_tokens) == OGAS_OK);
  EXPECT(n_tokens > 0);
  EXPECT(generate_options_init(engine, &options, sizeof(options)) == OGAS_OK);
  options.max_tokens = 8;
  EXPECT(generate(session, tokens, n_tokens, &options, count, &n_shown) == OGAS_OK);
  session_text(session, &n_bytes);
  EXPECT(n_shown > 0 && n_shown == n_bytes);
  free_memory(tokens);
  session_free(session);
  engine_free(engine);
  EXPECT(dlclose(library) == 0);
}

int main(int argc, char** argv) {
  EXPECT(argc == 3);
  use(argv[1], argv[2]);
  use(argv[1], argv[2]);
  return 0;
}
