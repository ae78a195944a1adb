/* Loads a library as the engine does and looks up its entry point: load LIBRARY. For systems without an engine. */
#include <stdio.h>

#ifdef _WIN32
#include <windows.h>
int main(int count, char **arguments) {
  HMODULE library = count > 1 ? LoadLibraryA(arguments[1]) : NULL;
  if (!library) return printf("not loaded: error %lu\n", GetLastError()), 1;
  if (!GetProcAddress(library, "rust_websocket_init")) return printf("there is no entry point\n"), 1;
  return printf("loaded\n"), FreeLibrary(library) ? 0 : 1;
}
#else
#include <dlfcn.h>
int main(int count, char **arguments) {
  void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) return printf("not loaded: %s\n", count > 1 ? dlerror() : "no library named"), 1;
  if (!dlsym(library, "rust_websocket_init")) return printf("there is no entry point\n"), 1;
  return printf("loaded\n"), dlclose(library);
}
#endif
