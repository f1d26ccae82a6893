/* SPDX-License-Identifier: MIT */
#include "executor/pocl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEVICES "POCL_DEVICES"
#define BOTH "pthread basic"
#define PLATFORM "Portable Computing Language"
/* Grids smaller than this in each dimension have functions of their own. */
#define LARGE_GRID 65535u
/* A group shall have so many times the preferred multiple before it is split among the units. */
#define SPLIT_FROM 4u

/* --------------------------------------------------------------- devices */

bool exec_pocl_ask_for_quick(void)
{
	const char *devices = getenv(DEVICES);

	/* A compile helper has what its executor asked for. */
	if (devices)
		return strcmp(devices, BOTH) == 0;
	return setenv(DEVICES, BOTH, 1) == 0;
}

bool exec_pocl_is_quick(const struct exec_host *h, cl_platform_id platform, cl_device_id device)
{
	char name[512] = "";

	if (h->GetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(name) - 1, name, NULL) != CL_SUCCESS ||
	    strcmp(name, PLATFORM) != 0)
		return false;
	memset(name, 0, sizeof(name));
	return h->GetDeviceInfo(device, CL_DEVICE_NAME, sizeof(name) - 1, name, NULL) == CL_SUCCESS &&
	       strncmp(name, "basic", 5) == 0;
}

/* ------------------------------------------------------------ local size */

bool exec_pocl_get_limits(const struct exec_host *h, struct exec_pocl_limits *ret)
{
	size_t group = 0, items[3] = { 0 }, multiple = 0;
	cl_uint units = 0;

	if (h->GetDeviceInfo(h->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(group), &group, NULL) != CL_SUCCESS ||
	    h->GetDeviceInfo(h->device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(items), items, NULL) != CL_SUCCESS ||
	    h->GetDeviceInfo(h->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL) != CL_SUCCESS ||
	    h->GetDeviceInfo(h->device, CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(multiple), &multiple,
			     NULL) != CL_SUCCESS)
		return false;
	*ret = (struct exec_pocl_limits){
		.group = group, .items = { items[0], items[1], items[2] }, .multiple = multiple ? multiple : 1,
		.units = units,
	};
	return group && items[0] && items[1] && items[2];
}

/* A choice under way. */
struct division {
	const struct exec_pocl_limits *limits;
	const uint64_t *global;
	uint64_t *local;
	uint64_t grain[3]; /* local sizes are multiples of it where that is possible */
};

/* Dimensions from the least to the most worth keeping whole; and each with the two others. */
static const int order[3] = { 2, 1, 0 };
static const int others[3][2] = { [2] = { 0, 1 }, [1] = { 2, 0 }, [0] = { 1, 2 } };

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (a) {
		uint64_t rest = b % a;

		b = a;
		a = rest;
	}
	return b;
}

/* The largest divisor of n up to limit. */
static uint64_t divisor_below(uint64_t n, uint64_t limit)
{
	if (n < limit)
		return n;
	while (n % limit)
		limit--;
	return limit;
}

static uint64_t product(const uint64_t n[3])
{
	return n[0] * n[1] * n[2];
}

static bool can_divide(const struct division *v, int d, uint64_t by)
{
	uint64_t part = v->local[d] / by;

	return v->local[d] % by == 0 && part % v->grain[d] == 0 && v->global[d] % part == 0;
}

/* Makes a group that is too large smaller: by half, else without the dimension of the finest grain, else without any. */
static void shrink(struct division *v)
{
	for (int i = 0; i < 3; i++)
		if (can_divide(v, order[i], 2)) {
			v->local[order[i]] /= 2;
			return;
		}
	for (int i = 0; i < 3; i++) {
		int d = order[i];

		if (v->local[d] > 1 && v->grain[d] <= v->grain[others[d][0]] && v->grain[d] <= v->grain[others[d][1]]) {
			v->local[d] = 1;
			return;
		}
	}
	for (int i = 0; i < 3; i++)
		if (v->local[order[i]] > 1) {
			v->local[order[i]] = 1;
			return;
		}
}

/* Divides a group in parts, or in fewer; or flattens the smallest dimension. False when nothing helps. */
static bool split(struct division *v, uint64_t parts, uint64_t least)
{
	for (; parts > 1; parts--)
		for (int i = 0; i < 3; i++)
			if (can_divide(v, order[i], parts)) {
				v->local[order[i]] /= parts;
				return true;
			}
	for (int i = 0; i < 3; i++) {
		int d = order[i];
		uint64_t a = v->local[others[d][0]], b = v->local[others[d][1]];

		if (v->local[d] > 1 && v->local[d] <= a && v->local[d] <= b && a * b >= least) {
			v->local[d] = 1;
			return true;
		}
	}
	return false;
}

void exec_pocl_local_size(const struct exec_pocl_limits *l, const uint64_t global[3], uint64_t ret[3])
{
	struct division v = { .limits = l, .global = global, .local = ret };
	uint64_t least = SPLIT_FROM * l->multiple < l->group ? SPLIT_FROM * l->multiple : l->group;

	for (int d = 0; d < 3; d++) {
		uint64_t most = l->items[d] < global[d] ? l->items[d] : global[d];

		v.grain[d] = common_divisor(l->multiple, global[d]);
		ret[d] = most < v.grain[d] ? 1 : v.grain[d] * divisor_below(global[d] / v.grain[d], most / v.grain[d]);
	}
	while (product(ret) > l->group)
		shrink(&v);
	for (;;) {
		uint64_t groups = (global[0] / ret[0]) * (global[1] / ret[1]) * (global[2] / ret[2]);
		uint64_t parts = l->units / groups;

		if (parts <= 1 || product(ret) < parts * least || !split(&v, parts, least))
			return;
	}
}

/* ----------------------------------------------------------------- files */

bool exec_pocl_function(char *buf, size_t size, const char *kernel, const uint64_t local[3],
			const struct exec_route_key *key)
{
	bool is_small = key->global[0] < LARGE_GRID && key->global[1] < LARGE_GRID && key->global[2] < LARGE_GRID;
	int n = snprintf(buf, size, "%s/%" PRIu64 "-%" PRIu64 "-%" PRIu64 "%s%s/%s.so", kernel, local[0], local[1],
			 local[2], key->has_offset ? "" : "-goffs0", is_small ? "-smallgrid" : "", kernel);

	return n > 0 && (size_t)n < size;
}

static bool is_program(const char *cache, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/program.bc", cache, name);

	return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0;
}

/* Programs below one of the folders of two letters. */
static int count_programs(const char *cache, const char *letters, char ret[EXEC_POCL_FOLDER])
{
	char path[PATH_MAX], name[EXEC_POCL_FOLDER];
	struct dirent *e;
	int found = 0;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/%s", cache, letters) >= (int)sizeof(path))
		return 0;
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (snprintf(name, sizeof(name), "%s/%s", letters, e->d_name) < (int)sizeof(name) &&
		    e->d_name[0] != '.' && is_program(cache, name)) {
			memcpy(ret, name, sizeof(name));
			found++;
		}
	if (dir)
		closedir(dir);
	return found;
}

bool exec_pocl_find_program(const char *cache, char ret[EXEC_POCL_FOLDER])
{
	DIR *dir = opendir(cache);
	struct dirent *e;
	int found = 0;

	while (dir && (e = readdir(dir)))
		if (strlen(e->d_name) == 2 && e->d_name[0] != '.')
			found += count_programs(cache, e->d_name, ret);
	if (dir)
		closedir(dir);
	return found == 1;
}

static int make_folders(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		*p = '\0';
		r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whoever looks sees all of the file or nothing. */
static int copy_file(const char *from, char *to)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	char part[PATH_MAX];
	ssize_t n;
	int r;

	if (in < 0)
		return -errno;
	r = make_folders(to);
	if (r < 0)
		return r;
	if (snprintf(part, sizeof(part), "%s.part-XXXXXX", to) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	out = mkostemp(part, O_CLOEXEC);
	if (out < 0)
		return -errno;
	do
		n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	r = n < 0 ? -errno : 0;
	if (r == 0 && (fchmod(out, 0700) < 0 || rename(part, to) < 0))
		r = -errno;
	if (r < 0)
		unlink(part);
	return r;
}

static int join(char ret[PATH_MAX], const char *cache, const char *program, const char *file)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s/%s", cache, program, file);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int exec_pocl_move_program(const char *from, const char *to, const char *program)
{
	char source[PATH_MAX], target[PATH_MAX];
	int r = join(source, from, program, "program.bc");

	if (r == 0)
		r = join(target, to, program, "program.bc");
	if (r < 0)
		return r;
	return access(target, R_OK) == 0 ? 0 : copy_file(source, target);
}

int exec_pocl_copy_function(const char *cache, const char *from, const char *to, const char *function)
{
	char source[PATH_MAX], target[PATH_MAX];
	int r = join(source, cache, from, function);

	if (r == 0)
		r = join(target, cache, to, function);
	if (r < 0)
		return r;
	return access(target, R_OK) == 0 ? 0 : copy_file(source, target);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void exec_pocl_remove_cache(const char *cache)
{
	nftw(cache, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
