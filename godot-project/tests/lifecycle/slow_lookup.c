/* Makes the name lookups of one library wait for LOOKUP_SECONDS and fail: a name server that does not answer.
 *
 *   cc -shared -fPIC -o slow_lookup.so slow_lookup.c
 *   LOOKUP_SECONDS=60 LD_PRELOAD=./slow_lookup.so godot ...
 *
 * The engine opens extensions so that they find the system's functions before preloaded ones (RTLD_DEEPBIND), so the
 * entry is exchanged in the table of the library once it is open.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int wait_in_vain(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
	(void)node, (void)service, (void)hints, (void)result;
	const char *seconds = getenv("LOOKUP_SECONDS");
	sleep(seconds ? (unsigned)atoi(seconds) : 60);
	return EAI_AGAIN;
}

static void exchange(struct link_map *library, const Elf64_Sym *symbols, const char *names, const Elf64_Rela *entry) {
	if (strcmp(names + symbols[ELF64_R_SYM(entry->r_info)].st_name, "getaddrinfo") != 0)
		return;
	char *place = (char *)library->l_addr + entry->r_offset;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	mprotect((char *)((size_t)place & ~(page - 1)), page, PROT_READ | PROT_WRITE);
	*(void **)place = (void *)wait_in_vain;
}

static void slow_down(struct link_map *library) {
	const Elf64_Sym *symbols = NULL;
	const char *names = NULL;
	const Elf64_Rela *tables[2] = { NULL, NULL };
	size_t sizes[2] = { 0, 0 };
	for (const Elf64_Dyn *entry = library->l_ld; entry->d_tag != DT_NULL; entry++) {
		switch (entry->d_tag) {
			case DT_SYMTAB: symbols = (const Elf64_Sym *)entry->d_un.d_ptr; break;
			case DT_STRTAB: names = (const char *)entry->d_un.d_ptr; break;
			case DT_RELA: tables[0] = (const Elf64_Rela *)entry->d_un.d_ptr; break;
			case DT_RELASZ: sizes[0] = entry->d_un.d_val; break;
			case DT_JMPREL: tables[1] = (const Elf64_Rela *)entry->d_un.d_ptr; break;
			case DT_PLTRELSZ: sizes[1] = entry->d_un.d_val; break;
		}
	}
	for (int table = 0; table < 2; table++)
		for (size_t i = 0; i < sizes[table] / sizeof(Elf64_Rela); i++)
			exchange(library, symbols, names, tables[table] + i);
}

void *dlopen(const char *path, int mode) {
	void *(*open_library)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
	void *library = open_library(path, mode);
	if (library != NULL && path != NULL && strstr(path, "rust_websocket") != NULL)
		slow_down(library);
	return library;
}
