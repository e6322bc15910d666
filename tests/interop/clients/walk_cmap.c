/*
 * Walks libcmap: every function, each type of value, both maps, trackers, iterators, and what is refused.
 */
#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX (16 * 1024)
#define EVERY_EVENT (CMAP_TRACK_ADD | CMAP_TRACK_MODIFY | CMAP_TRACK_DELETE)

static cmap_handle_t map, other;
static char big[VALUE_MAX + 2];

static void step(const char *what, cs_error_t err)
{
	printf("%s: %d %s\n", what, (int)err, cs_strerror(err));
}

static void step_key(const char *what, const char *key, cs_error_t err)
{
	char text[64];

	snprintf(text, sizeof text, "%s %.40s", what, key);
	step(text, err);
}

static void print_value(const void *data, size_t len, cmap_value_types_t type)
{
	uint64_t number = 0;
	float flt;
	double dbl;

	printf(" type %d len %zu", (int)type, len);
	switch (type) {
	case CMAP_VALUETYPE_FLOAT:
		memcpy(&flt, data, sizeof flt);
		printf(" %g", (double)flt);
		break;
	case CMAP_VALUETYPE_DOUBLE:
		memcpy(&dbl, data, sizeof dbl);
		printf(" %g", dbl);
		break;
	case CMAP_VALUETYPE_STRING:
		printf(" \"%.32s\" ends %d", (const char *)data, len ? ((const char *)data)[len - 1] : -1);
		break;
	case CMAP_VALUETYPE_BINARY:
		for (size_t i = 0; i < len && i < 8; i++)
			printf(" %02x", ((const unsigned char *)data)[i]);
		break;
	default:
		if (len <= sizeof number)
			memcpy(&number, data, len);
		printf(" %" PRIx64, number);
	}
}

static void show(const char *key)
{
	static char data[VALUE_MAX + 2];
	size_t len = sizeof data;
	cmap_value_types_t type = 0;
	cs_error_t err;

	memset(data, 0, sizeof data);
	err = cmap_get(map, key, data, &len, &type);
	printf("value of %.40s: %d", key, (int)err);
	if (err == CS_OK)
		print_value(data, len, type);
	putchar('\n');
}

/* -- connections */

static void walk_connections(void)
{
	cmap_handle_t third;
	const void *context = NULL;
	int fd = -1;

	puts("-- connections");
	step("cmap_initialize_map of no map", cmap_initialize_map(&third, 7));
	step("cmap_get through it", cmap_get(third, "totem.version", NULL, NULL, NULL));
	step("cmap_finalize", cmap_finalize(third));
	step("cmap_initialize", cmap_initialize(&map));
	step("cmap_initialize_map", cmap_initialize_map(&other, CMAP_MAP_ICMAP));
	step("cmap_fd_get", cmap_fd_get(map, &fd));
	printf("fd is %s\n", fd >= 0 ? "open" : "none");
	step("cmap_context_set", cmap_context_set(map, &map));
	step("cmap_context_get", cmap_context_get(map, &context));
	printf("context is %s\n", context == &map ? "ours" : "another");
	step("cmap_context_get of another", cmap_context_get(other, &context));
	printf("context is %s\n", context == NULL ? "none" : "some");
}

static void on_change(cmap_handle_t handle, cmap_track_handle_t tracker, int32_t event, const char *key,
		      struct cmap_notify_value new_value, struct cmap_notify_value old_value, void *user_data);

static void call_all(cmap_handle_t handle)
{
	char key[CMAP_KEYNAME_MAXLEN + 1], *text;
	const void *context;
	uint64_t number;
	size_t len;
	cmap_value_types_t type;
	float flt;
	double dbl;
	int fd;

	step("cmap_finalize", cmap_finalize(handle));
	step("cmap_fd_get", cmap_fd_get(handle, &fd));
	step("cmap_dispatch", cmap_dispatch(handle, CS_DISPATCH_ALL));
	step("cmap_context_get", cmap_context_get(handle, &context));
	step("cmap_context_set", cmap_context_set(handle, NULL));
	step("cmap_set", cmap_set(handle, "walk.x", "", 0, CMAP_VALUETYPE_BINARY));
	step("cmap_set_int8", cmap_set_int8(handle, "walk.x", 1));
	step("cmap_set_uint8", cmap_set_uint8(handle, "walk.x", 1));
	step("cmap_set_int16", cmap_set_int16(handle, "walk.x", 1));
	step("cmap_set_uint16", cmap_set_uint16(handle, "walk.x", 1));
	step("cmap_set_int32", cmap_set_int32(handle, "walk.x", 1));
	step("cmap_set_uint32", cmap_set_uint32(handle, "walk.x", 1));
	step("cmap_set_int64", cmap_set_int64(handle, "walk.x", 1));
	step("cmap_set_uint64", cmap_set_uint64(handle, "walk.x", 1));
	step("cmap_set_float", cmap_set_float(handle, "walk.x", 1));
	step("cmap_set_double", cmap_set_double(handle, "walk.x", 1));
	step("cmap_set_string", cmap_set_string(handle, "walk.x", ""));
	step("cmap_delete", cmap_delete(handle, "walk.x"));
	step("cmap_get", cmap_get(handle, "walk.x", NULL, &len, &type));
	step("cmap_get_int8", cmap_get_int8(handle, "walk.x", (int8_t *)&number));
	step("cmap_get_uint8", cmap_get_uint8(handle, "walk.x", (uint8_t *)&number));
	step("cmap_get_int16", cmap_get_int16(handle, "walk.x", (int16_t *)&number));
	step("cmap_get_uint16", cmap_get_uint16(handle, "walk.x", (uint16_t *)&number));
	step("cmap_get_int32", cmap_get_int32(handle, "walk.x", (int32_t *)&number));
	step("cmap_get_uint32", cmap_get_uint32(handle, "walk.x", (uint32_t *)&number));
	step("cmap_get_int64", cmap_get_int64(handle, "walk.x", (int64_t *)&number));
	step("cmap_get_uint64", cmap_get_uint64(handle, "walk.x", &number));
	step("cmap_get_float", cmap_get_float(handle, "walk.x", &flt));
	step("cmap_get_double", cmap_get_double(handle, "walk.x", &dbl));
	step("cmap_get_string", cmap_get_string(handle, "walk.x", &text));
	step("cmap_inc", cmap_inc(handle, "walk.x"));
	step("cmap_dec", cmap_dec(handle, "walk.x"));
	step("cmap_iter_init", cmap_iter_init(handle, NULL, &number));
	step("cmap_iter_next", cmap_iter_next(handle, 1, key, &len, &type));
	step("cmap_iter_finalize", cmap_iter_finalize(handle, 1));
	step("cmap_track_add", cmap_track_add(handle, "walk.x", EVERY_EVENT, on_change, NULL, &number));
	step("cmap_track_delete", cmap_track_delete(handle, 1));
}

/* -- values */

static void walk_numbers(void)
{
	int8_t i8 = 0;
	uint8_t u8 = 0;
	int16_t i16 = 0;
	uint16_t u16 = 0;
	int32_t i32 = 0;
	uint32_t u32 = 0;
	int64_t i64 = 0;
	uint64_t u64 = 0;
	float flt = 0;
	double dbl = 0;
	char *text = NULL;

	puts("-- values of each type");
	step("cmap_set_int8", cmap_set_int8(map, "walk.i8", INT8_MIN));
	step("cmap_set_uint8", cmap_set_uint8(map, "walk.u8", UINT8_MAX));
	step("cmap_set_int16", cmap_set_int16(map, "walk.i16", INT16_MIN));
	step("cmap_set_uint16", cmap_set_uint16(map, "walk.u16", UINT16_MAX));
	step("cmap_set_int32", cmap_set_int32(map, "walk.i32", INT32_MIN));
	step("cmap_set_uint32", cmap_set_uint32(map, "walk.u32", UINT32_MAX));
	step("cmap_set_int64", cmap_set_int64(map, "walk.i64", INT64_MIN));
	step("cmap_set_uint64", cmap_set_uint64(map, "walk.u64", UINT64_MAX));
	step("cmap_set_float", cmap_set_float(map, "walk.flt", 1.5f));
	step("cmap_set_double", cmap_set_double(map, "walk.dbl", -2.25));
	step("cmap_set_string", cmap_set_string(map, "walk.str", "a word"));
	step("cmap_set_string empty", cmap_set_string(map, "walk.str0", ""));
	step("cmap_set_string NULL", cmap_set_string(map, "walk.str1", NULL));
	step("cmap_set_string of bytes", cmap_set_string(map, "walk.bytes", "\xff\x80\x01"));
	show("walk.i8");
	show("walk.u8");
	show("walk.i16");
	show("walk.u16");
	show("walk.i32");
	show("walk.u32");
	show("walk.i64");
	show("walk.u64");
	show("walk.flt");
	show("walk.dbl");
	show("walk.str");
	show("walk.str0");
	show("walk.str1");
	show("walk.bytes");

	step("cmap_get_int8", cmap_get_int8(map, "walk.i8", &i8));
	step("cmap_get_uint8", cmap_get_uint8(map, "walk.u8", &u8));
	step("cmap_get_int16", cmap_get_int16(map, "walk.i16", &i16));
	step("cmap_get_uint16", cmap_get_uint16(map, "walk.u16", &u16));
	step("cmap_get_int32", cmap_get_int32(map, "walk.i32", &i32));
	step("cmap_get_uint32", cmap_get_uint32(map, "walk.u32", &u32));
	step("cmap_get_int64", cmap_get_int64(map, "walk.i64", &i64));
	step("cmap_get_uint64", cmap_get_uint64(map, "walk.u64", &u64));
	step("cmap_get_float", cmap_get_float(map, "walk.flt", &flt));
	step("cmap_get_double", cmap_get_double(map, "walk.dbl", &dbl));
	printf("%d %u %d %u %" PRId32 " %" PRIu32 " %" PRId64 " %" PRIu64 " %g %g\n", i8, u8, i16, u16, i32, u32, i64, u64,
	       (double)flt, dbl);
	step("cmap_get_string", cmap_get_string(map, "walk.str", &text));
	printf("\"%s\"\n", text ? text : "nothing");
	free(text);

	step("cmap_get_int8 of a uint8", cmap_get_int8(map, "walk.u8", &i8));
	step("cmap_get_uint8 of a uint64", cmap_get_uint8(map, "walk.u64", &u8));
	step("cmap_get_int16 of a uint16", cmap_get_int16(map, "walk.u16", &i16));
	step("cmap_get_uint16 of nothing", cmap_get_uint16(map, "walk.none", &u16));
	step("cmap_get_int32 of a float", cmap_get_int32(map, "walk.flt", &i32));
	step("cmap_get_uint32 of an int32", cmap_get_uint32(map, "walk.i32", &u32));
	step("cmap_get_int64 of a double", cmap_get_int64(map, "walk.dbl", &i64));
	step("cmap_get_uint64 of a short string", cmap_get_uint64(map, "walk.str", &u64));
	step("cmap_get_float of a double", cmap_get_float(map, "walk.dbl", &flt));
	step("cmap_get_double of a float", cmap_get_double(map, "walk.flt", &dbl));
	step("cmap_get_string of a number", cmap_get_string(map, "walk.u8", &text));
	step("cmap_get_string of nothing", cmap_get_string(map, "walk.none", &text));
}

static void try_set(const char *what, const char *key, const void *value, size_t len, cmap_value_types_t type)
{
	step(what, cmap_set(map, key, value, len, type));
}

static void walk_set(void)
{
	char long_key[CMAP_KEYNAME_MAXLEN + 2];

	puts("-- what can be set");
	memset(long_key, 'k', sizeof long_key);
	long_key[sizeof long_key - 1] = 0;
	step("key NULL", cmap_set_int8(map, NULL, 1));
	step("key of 256", cmap_set_int8(map, long_key, 1));
	long_key[CMAP_KEYNAME_MAXLEN] = 0;
	step("key of 255", cmap_set_int8(map, long_key, 1));
	show(long_key);
	step("cmap_delete of it", cmap_delete(map, long_key));
	step("key of 2", cmap_set_int8(map, "ab", 1));
	step("key of 3", cmap_set_int8(map, "wal", 1));
	step("cmap_delete of it", cmap_delete(map, "wal"));
	step("key of none", cmap_set_int8(map, "", 1));
	step("key with a space", cmap_set_int8(map, "walk x", 1));
	step("key with an umlaut", cmap_set_int8(map, "walk.\xc3\xa4", 1));
	step("key of all kinds", cmap_set_int8(map, "walk.aZ09_-/:.", 1));
	try_set("value NULL", "walk.set", NULL, 1, CMAP_VALUETYPE_INT8);
	try_set("int8 of 2 bytes", "walk.set", "xy", 2, CMAP_VALUETYPE_INT8);
	try_set("uint16 of 1 byte", "walk.set", "x", 1, CMAP_VALUETYPE_UINT16);
	try_set("uint32 of 0 bytes", "walk.set", "x", 0, CMAP_VALUETYPE_UINT32);
	try_set("uint64 of 4 bytes", "walk.set", "xxxx", 4, CMAP_VALUETYPE_UINT64);
	try_set("float of 8 bytes", "walk.set", "xxxxxxxx", 8, CMAP_VALUETYPE_FLOAT);
	try_set("double of 4 bytes", "walk.set", "xxxx", 4, CMAP_VALUETYPE_DOUBLE);
	try_set("type 0", "walk.set", "x", 1, 0);
	try_set("type 13", "walk.set", "xxxx", 4, 13);
	try_set("type 255", "walk.set", "xxxx", 4, 255);
	try_set("bad key and bad value", "a b", "xy", 2, CMAP_VALUETYPE_INT8);
	show("walk.set");
	try_set("string with its NUL", "walk.set", "text", 5, CMAP_VALUETYPE_STRING);
	show("walk.set");
	try_set("string without its NUL", "walk.set", "text", 4, CMAP_VALUETYPE_STRING);
	try_set("part of a string", "walk.set", "text", 2, CMAP_VALUETYPE_STRING);
	show("walk.set");
	try_set("string and a byte", "walk.set", "text\0x", 6, CMAP_VALUETYPE_STRING);
	try_set("string with a hole", "walk.set", "te\0xt", 5, CMAP_VALUETYPE_STRING);
	show("walk.set");
	try_set("binary with a hole", "walk.set", "te\0xt", 5, CMAP_VALUETYPE_BINARY);
	show("walk.set");
	try_set("binary of none", "walk.set", "", 0, CMAP_VALUETYPE_BINARY);
	show("walk.set");
	memset(big, 'b', sizeof big);
	try_set("binary of 16384", "walk.set", big, VALUE_MAX, CMAP_VALUETYPE_BINARY);
	show("walk.set");
	try_set("binary of 16385", "walk.set", big, VALUE_MAX + 1, CMAP_VALUETYPE_BINARY);
	try_set("string of 16385", "walk.set", big, VALUE_MAX + 1, CMAP_VALUETYPE_STRING);
	big[VALUE_MAX] = 0;
	try_set("string of 16384", "walk.set", big, VALUE_MAX, CMAP_VALUETYPE_STRING);
	show("walk.set");
	big[VALUE_MAX - 1] = 0;
	try_set("string of 16383 and its NUL", "walk.set", big, VALUE_MAX, CMAP_VALUETYPE_STRING);
	show("walk.set");
}

static void walk_get(void)
{
	char data[16];
	size_t len;
	cmap_value_types_t type = 0;

	puts("-- what can be got");
	step("cmap_set_string", cmap_set_string(map, "walk.get", "12345"));
	step("key NULL", cmap_get(map, NULL, data, &len, &type));
	memset(big, 'k', CMAP_KEYNAME_MAXLEN + 1);
	big[CMAP_KEYNAME_MAXLEN + 1] = 0;
	step("key of 256", cmap_get(map, big, data, &len, &type));
	step("key of 255", cmap_get(map, big + 1, NULL, &len, &type));
	step("key of 1", cmap_get(map, "w", NULL, &len, &type));
	step("key of none", cmap_get(map, "", NULL, &len, &type));
	step("part of a key", cmap_get(map, "walk.ge", NULL, &len, &type));
	step("value without room", cmap_get(map, "walk.get", data, NULL, &type));
	step("nothing wanted", cmap_get(map, "walk.get", NULL, NULL, NULL));
	step("type alone", cmap_get(map, "walk.get", NULL, NULL, &type));
	printf("type %d\n", (int)type);
	len = 1;
	step("length alone", cmap_get(map, "walk.get", NULL, &len, NULL));
	printf("len %zu\n", len);
	len = 5;
	step("one byte too few", cmap_get(map, "walk.get", data, &len, &type));
	len = 0;
	step("room for none", cmap_get(map, "walk.get", NULL, &len, &type));
	printf("len %zu\n", len);
	len = 6;
	step("just room", cmap_get(map, "walk.get", data, &len, NULL));
	printf("len %zu \"%s\"\n", len, data);
	len = sizeof data;
	step("more room", cmap_get(map, "walk.get", data, &len, &type));
	printf("len %zu type %d \"%s\"\n", len, (int)type, data);
}

static void adjust(const char *key)
{
	step_key("cmap_inc", key, cmap_inc(map, key));
	show(key);
	step_key("cmap_dec", key, cmap_dec(map, key));
	step_key("cmap_dec", key, cmap_dec(map, key));
	show(key);
}

static void walk_adjust(void)
{
	puts("-- inc and dec");
	cmap_set_int8(map, "walk.i8", INT8_MAX);
	cmap_set_int16(map, "walk.i16", INT16_MAX);
	cmap_set_int32(map, "walk.i32", INT32_MAX);
	cmap_set_int64(map, "walk.i64", INT64_MAX);
	adjust("walk.i8");
	adjust("walk.u8");
	adjust("walk.i16");
	adjust("walk.u16");
	adjust("walk.i32");
	adjust("walk.u32");
	adjust("walk.i64");
	adjust("walk.u64");
	adjust("walk.flt");
	adjust("walk.dbl");
	adjust("walk.str");
	adjust("walk.set");
	step("cmap_inc of nothing", cmap_inc(map, "walk.none"));
	step("cmap_inc NULL", cmap_inc(map, NULL));
	step("cmap_dec of 256", cmap_dec(map, big));
	step("cmap_dec read-only", cmap_dec(map, "totem.version"));
}

static void walk_readonly(void)
{
	static const char *const keys[] = {
		"internal_configuration.walk", "runtime.services.walk", "runtime.config.walk",
		"runtime.totem.walk", "uidgid.config.walk", "system.walk", "nodelist.walk", "nodelist.local_node_pos",
		"totem.crypto_cipher", "totem.crypto_hash", "totem.crypto_model", "totem.keyfile", "totem.key", "totem.secauth",
		"totem.ip_version", "totem.rrp_mode", "totem.transport", "totem.cluster_name", "totem.netmtu", "totem.threads",
		"totem.version", "totem.nodeid", "totem.clear_node_high_bit", "config.reload_in_progress",
		"config.totemconfig_reload_in_progress", "system.a b", "nodelist.",
	};

	puts("-- read-only keys");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		step_key("cmap_set", keys[i], cmap_set(map, keys[i], "xy", 2, CMAP_VALUETYPE_INT8));
		step_key("cmap_delete", keys[i], cmap_delete(map, keys[i]));
	}
	step("cmap_set system", cmap_set_int8(map, "system", 1));
	step("cmap_delete system", cmap_delete(map, "system"));
	step("cmap_set totem.versions", cmap_set_int8(map, "totem.versions", 1));
	step("cmap_delete totem.versions", cmap_delete(map, "totem.versions"));
}

static void walk_delete(void)
{
	puts("-- delete");
	step("cmap_delete", cmap_delete(map, "walk.get"));
	step("cmap_delete again", cmap_delete(map, "walk.get"));
	step("cmap_delete of part of a key", cmap_delete(map, "walk.se"));
	step("cmap_delete of none", cmap_delete(map, ""));
	step("cmap_delete NULL", cmap_delete(map, NULL));
	step("cmap_delete of 256", cmap_delete(map, big));
	show("walk.get");
}

/* -- iterators */

static int next(cmap_iter_handle_t iterator)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	size_t len = 0;
	cmap_value_types_t type = 0;
	cs_error_t err = cmap_iter_next(map, iterator, key, &len, &type);

	if (err != CS_OK) {
		step("cmap_iter_next", err);
		return 0;
	}
	printf("%s type %d len %zu\n", key, (int)type, len);
	return 1;
}

static void list(const char *prefix)
{
	cmap_iter_handle_t iterator;

	step_key("cmap_iter_init", prefix, cmap_iter_init(map, prefix, &iterator));
	while (next(iterator))
		;
	step("cmap_iter_finalize", cmap_iter_finalize(map, iterator));
}

static void walk_iterators(void)
{
	static const char *const keys[] = {
		"walk.it.b", "walk.it.a.z", "walk.it.a", "walk.it.a-z", "walk.it.a:z", "walk.it.a/z", "walk.it.a_z", "walk.it.aAz",
		"walk.it.aaz", "walk.it.a0z", "walk.it.10", "walk.it.9", "walk.it.Zz", "walk.it", "walk.it.", "walk.iu",
	};
	cmap_iter_handle_t first, second;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	int count = 0;

	puts("-- iterators");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		step_key("cmap_set_uint32", keys[i], cmap_set_uint32(map, keys[i], (uint32_t)i));
	list("walk.it");
	list("walk.it.");
	list("walk.it.a");
	list("walk.it.aa");
	list("walk.it.aaz");
	list("walk.it.none");
	list("no such prefix!");

	step("cmap_iter_init of all", cmap_iter_init(map, NULL, &first));
	while (cmap_iter_next(map, first, key, NULL, NULL) == CS_OK)
		count += strncmp(key, "walk.it.", 8) == 0;
	printf("%d of ours\n", count);
	step("cmap_iter_next behind the end", cmap_iter_next(map, first, key, NULL, NULL));
	step("cmap_iter_finalize", cmap_iter_finalize(map, first));
	step("cmap_iter_next after it", cmap_iter_next(map, first, key, NULL, NULL));
	step("cmap_iter_finalize again", cmap_iter_finalize(map, first));
	step("cmap_iter_init of an empty prefix", cmap_iter_init(map, "", &first));
	step("cmap_iter_next", cmap_iter_next(map, first, key, NULL, NULL));
	step("cmap_iter_next without room", cmap_iter_next(map, first, NULL, NULL, NULL));
	step("cmap_iter_finalize", cmap_iter_finalize(map, first));
	step("cmap_iter_init without room", cmap_iter_init(map, "walk.it.", NULL));

	puts("keys that come and go while iterators walk");
	step("cmap_iter_init", cmap_iter_init(map, "walk.it.", &first));
	step("cmap_iter_init", cmap_iter_init(map, "walk.it.", &second));
	next(first);
	next(first);
	next(first);
	next(second);
	step("cmap_delete behind", cmap_delete(map, "walk.it.10"));
	step("cmap_delete ahead", cmap_delete(map, "walk.it.a/z"));
	step("cmap_set behind", cmap_set_uint32(map, "walk.it.0", 1));
	step("cmap_set ahead", cmap_set_uint32(map, "walk.it.aBz", 1));
	step("cmap_set ahead", cmap_set_uint32(map, "walk.it.c", 1));
	step("cmap_set of another type ahead", cmap_set_uint8(map, "walk.it.b", 1));
	while (next(first))
		;
	step("cmap_set behind the end", cmap_set_uint32(map, "walk.it.d", 1));
	next(first);
	while (next(second))
		;
	step("cmap_iter_finalize", cmap_iter_finalize(map, first));
	step("cmap_iter_finalize", cmap_iter_finalize(map, second));
}

/* -- trackers */

static const char *event_name(int32_t event)
{
	switch (event) {
	case CMAP_TRACK_ADD:
		return "add";
	case CMAP_TRACK_MODIFY:
		return "modify";
	case CMAP_TRACK_DELETE:
		return "delete";
	}
	return "unknown";
}

static cmap_track_handle_t last_tracker;

static void on_change(cmap_handle_t handle, cmap_track_handle_t tracker, int32_t event, const char *key,
		      struct cmap_notify_value new_value, struct cmap_notify_value old_value, void *user_data)
{
	(void)handle;
	last_tracker = tracker;
	printf("  %s: %s %s, new", (const char *)user_data, event_name(event), key);
	print_value(new_value.data, new_value.len, new_value.type);
	printf(", old");
	print_value(old_value.data, old_value.len, old_value.type);
	putchar('\n');
}

static void on_change_finalize(cmap_handle_t handle, cmap_track_handle_t tracker, int32_t event, const char *key,
			       struct cmap_notify_value new_value, struct cmap_notify_value old_value, void *user_data)
{
	on_change(handle, tracker, event, key, new_value, old_value, user_data);
	step("cmap_finalize in a callback", cmap_finalize(handle));
}

static void dispatch(void)
{
	step("cmap_dispatch", cmap_dispatch(map, CS_DISPATCH_ALL));
}

static cmap_track_handle_t track(const char *name, const char *key, int32_t mask)
{
	cmap_track_handle_t tracker = 0;
	char text[80];

	snprintf(text, sizeof text, "cmap_track_add %s", name);
	step(text, cmap_track_add(map, key, mask, on_change, (void *)name, &tracker));
	return tracker;
}

static void change(void)
{
	step("cmap_set_uint8", cmap_set_uint8(other, "walk.tr.x", 1));
	step("cmap_set_uint8 the same", cmap_set_uint8(other, "walk.tr.x", 1));
	step("cmap_set_uint8", cmap_set_uint8(other, "walk.tr.x", 2));
	step("cmap_inc", cmap_inc(other, "walk.tr.x"));
	step("cmap_set_string", cmap_set_string(other, "walk.tr.x", "text"));
	step("cmap_set_string the same", cmap_set_string(other, "walk.tr.x", "text"));
	step("cmap_set binary", cmap_set(other, "walk.tr.x", "text\0", 5, CMAP_VALUETYPE_BINARY));
	step("cmap_set empty binary", cmap_set(other, "walk.tr.x", "", 0, CMAP_VALUETYPE_BINARY));
	step("cmap_set_double", cmap_set_double(other, "walk.tr.x.y", 0.0));
	step("cmap_set_double the other zero", cmap_set_double(other, "walk.tr.x.y", -0.0));
	step("cmap_inc", cmap_inc(other, "walk.tr.x.y"));
	step("cmap_delete", cmap_delete(other, "walk.tr.x.y"));
	step("cmap_delete", cmap_delete(other, "walk.tr.x"));
	step("cmap_delete", cmap_delete(other, "walk.tr.x"));
}

static void walk_trackers(void)
{
	cmap_track_handle_t key, adds, prefix, tracker = 0;

	puts("-- trackers");
	step("without a callback", cmap_track_add(map, "walk.tr.x", EVERY_EVENT, NULL, NULL, &tracker));
	step("without room", cmap_track_add(map, "walk.tr.x", EVERY_EVENT, on_change, NULL, NULL));
	step("unknown bits", cmap_track_add(map, "walk.tr.x", 16, on_change, NULL, &tracker));
	step("all bits", cmap_track_add(map, "walk.tr.x", -1, on_change, NULL, &tracker));
	step("cmap_track_delete of none", cmap_track_delete(map, 77));
	step("cmap_dispatch without events", cmap_dispatch(map, CS_DISPATCH_ALL));
	step("cmap_dispatch one without events", cmap_dispatch(map, CS_DISPATCH_ONE_NONBLOCKING));

	puts("one tracker of a key");
	key = track("of the key", "walk.tr.x", EVERY_EVENT);
	change();
	dispatch();
	printf("handle is %s\n", last_tracker == key ? "that of the tracker" : "another");

	puts("the order of many");
	adds = track("of its adds", "walk.tr.x", CMAP_TRACK_ADD);
	track("of its changes and deletes", "walk.tr.x", CMAP_TRACK_MODIFY | CMAP_TRACK_DELETE);
	track("of no event", "walk.tr.x", 0);
	prefix = track("of the prefix walk.tr.", "walk.tr.", EVERY_EVENT | CMAP_TRACK_PREFIX);
	track("of the prefix walk.tr., again", "walk.tr.", EVERY_EVENT | CMAP_TRACK_PREFIX);
	track("of the key walk.tr.", "walk.tr.", EVERY_EVENT);
	track("of the prefix walk.tr.x", "walk.tr.x", EVERY_EVENT | CMAP_TRACK_PREFIX);
	track("of the prefix w", "w", CMAP_TRACK_ADD | CMAP_TRACK_PREFIX);
	track("of all", NULL, CMAP_TRACK_DELETE | CMAP_TRACK_PREFIX);
	track("of all, again", NULL, CMAP_TRACK_DELETE | CMAP_TRACK_PREFIX);
	track("of an empty name", "", CMAP_TRACK_DELETE | CMAP_TRACK_PREFIX);
	track("of all without the bit", NULL, EVERY_EVENT);
	track("of no key at all", "no such!", EVERY_EVENT | CMAP_TRACK_PREFIX);
	change();
	dispatch();

	puts("less of them");
	step("cmap_track_delete", cmap_track_delete(map, adds));
	step("cmap_track_delete again", cmap_track_delete(map, adds));
	step("cmap_track_delete", cmap_track_delete(map, prefix));
	step("cmap_set_uint8", cmap_set_uint8(other, "walk.tr.x", 1));
	step("cmap_track_delete with events on their way", cmap_track_delete(map, key));
	dispatch();
	step("cmap_delete", cmap_delete(other, "walk.tr.x"));
	step("cmap_dispatch one", cmap_dispatch(map, CS_DISPATCH_ONE));
	step("cmap_dispatch one", cmap_dispatch(map, CS_DISPATCH_ONE_NONBLOCKING));
	dispatch();

	puts("large values");
	track("of a large one", "walk.big", EVERY_EVENT);
	memset(big, 'b', VALUE_MAX);
	step("cmap_set", cmap_set(other, "walk.big", big, VALUE_MAX, CMAP_VALUETYPE_BINARY));
	memset(big, 'c', VALUE_MAX);
	step("cmap_set", cmap_set(other, "walk.big", big, VALUE_MAX, CMAP_VALUETYPE_BINARY));
	step("cmap_delete", cmap_delete(other, "walk.big"));
	dispatch();

	puts("changes by the client that tracks");
	step("cmap_set_uint8", cmap_set_uint8(map, "walk.tr.own", 1));
	step("cmap_delete", cmap_delete(map, "walk.tr.own"));
	dispatch();
}

static void walk_finalize_in_callback(void)
{
	cmap_handle_t saved = map;
	cmap_track_handle_t tracker;

	puts("-- cmap_finalize in a callback");
	step("cmap_initialize", cmap_initialize(&map));
	step("cmap_track_add",
	     cmap_track_add(map, "walk.fin", EVERY_EVENT, on_change_finalize, (void *)"that finalizes", &tracker));
	step("cmap_set_uint8", cmap_set_uint8(other, "walk.fin", 1));
	step("cmap_set_uint8", cmap_set_uint8(other, "walk.fin", 2));
	step("cmap_dispatch for ever", cmap_dispatch(map, CS_DISPATCH_BLOCKING));
	dispatch();
	map = saved;
}

static void walk_long_names(void)
{
	cmap_handle_t lost;
	cmap_track_handle_t handle;

	/* The library keeps a reference for each of these: they get a connection that ends with the process. */
	puts("-- names of 256 for trackers and iterators");
	memset(big, 'k', CMAP_KEYNAME_MAXLEN + 1);
	big[CMAP_KEYNAME_MAXLEN + 1] = 0;
	step("cmap_initialize", cmap_initialize(&lost));
	step("cmap_iter_init", cmap_iter_init(lost, big, &handle));
	step("cmap_track_add", cmap_track_add(lost, big, EVERY_EVENT, on_change, NULL, &handle));
	step("cmap_iter_init of 255", cmap_iter_init(lost, big + 1, &handle));
	step("cmap_track_add of 255", cmap_track_add(lost, big + 1, EVERY_EVENT, on_change, NULL, &handle));
}

/* -- the other map */

static void walk_stats(void)
{
	cmap_handle_t saved = map;
	cmap_track_handle_t tracker = 0;
	uint64_t number;

	puts("-- stats");
	step("cmap_initialize_map", cmap_initialize_map(&map, CMAP_MAP_STATS));
	step("cmap_get_uint64", cmap_get_uint64(map, "stats.srp.orf_token_tx", &number));
	printf("tokens: %s\n", number > 0 ? "some" : "none");
	step("cmap_get_uint32", cmap_get_uint32(map, "stats.srp.orf_token_tx", (uint32_t *)&number));
	step("a key of the other map", cmap_get(map, "totem.version", NULL, NULL, NULL));
	step("a key of this map through the other", cmap_get(saved, "stats.srp.orf_token_tx", NULL, NULL, NULL));
	step("no such key", cmap_get(map, "stats.none", NULL, NULL, NULL));
	step("cmap_set", cmap_set_uint32(map, "stats.srp.orf_token_tx", 1));
	step("cmap_set new", cmap_set_uint32(map, "walk.x", 1));
	step("cmap_delete", cmap_delete(map, "stats.srp.orf_token_tx"));
	step("cmap_inc", cmap_inc(map, "stats.srp.orf_token_tx"));
	step("cmap_set stats.clear.none", cmap_set_uint32(map, "stats.clear.none", 1));
	step("cmap_set stats.clear.totem", cmap_set_uint32(map, "stats.clear.totem", 1));
	step("cmap_set stats.clear.ipc", cmap_set_string(map, "stats.clear.ipc", "any"));
	step("cmap_set stats.clear.schedmiss", cmap_set_uint32(map, "stats.clear.schedmiss", 1));
	step("cmap_set stats.clear.all", cmap_set_uint32(map, "stats.clear.all", 1));
	step("cmap_set stats.clear.allsorts", cmap_set_uint32(map, "stats.clear.allsorts", 1));
	step("cmap_get stats.clear.all", cmap_get(map, "stats.clear.all", NULL, NULL, NULL));
	step("cmap_delete stats.clear.all", cmap_delete(map, "stats.clear.all"));
	step("cmap_inc stats.clear.all", cmap_inc(map, "stats.clear.all"));
	list("stats.pg.");
	list("stats.srp.mcast_");
	list("totem.");
	track("of a prefix and all events", "stats.", EVERY_EVENT | CMAP_TRACK_PREFIX);
	track("of a prefix without adds", "stats.", CMAP_TRACK_DELETE | CMAP_TRACK_PREFIX);
	track("of a prefix without deletes", "stats.", CMAP_TRACK_ADD | CMAP_TRACK_PREFIX);
	track("of a prefix and no event", "stats.", CMAP_TRACK_PREFIX);
	track("of no key there is", "stats.none", EVERY_EVENT);
	tracker = track("of a key", "stats.ipcs.global.closed", CMAP_TRACK_MODIFY);
	step("cmap_track_delete", cmap_track_delete(map, tracker));
	step("cmap_track_delete again", cmap_track_delete(map, tracker));
	step("cmap_finalize", cmap_finalize(map));
	map = saved;
}

static void clean(void)
{
	cmap_iter_handle_t iterator;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	int failed = 0;

	puts("-- the end");
	step("cmap_iter_init", cmap_iter_init(map, "walk.", &iterator));
	while (cmap_iter_next(map, iterator, key, NULL, NULL) == CS_OK)
		failed += cmap_delete(map, key) != CS_OK;
	step("cmap_iter_finalize", cmap_iter_finalize(map, iterator));
	cmap_delete(map, "walk.it");
	cmap_delete(map, "walk.iu");
	printf("%d were not deleted\n", failed);
	list("walk");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("-- before cmap_initialize");
	call_all(0);
	walk_connections();
	walk_numbers();
	walk_set();
	walk_get();
	walk_adjust();
	walk_readonly();
	walk_delete();
	walk_iterators();
	walk_trackers();
	walk_finalize_in_callback();
	walk_long_names();
	walk_stats();
	clean();
	step("cmap_finalize", cmap_finalize(other));
	step("cmap_finalize", cmap_finalize(map));
	puts("-- after cmap_finalize");
	call_all(map);
	return 0;
}
