/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails in turn: each call must then refuse cleanly, leave nothing behind (the address
 * sanitizer and the count of descriptors watch), and work the next time.
 */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "base/blob.h"
#include "base/handles.h"
#include "fake.h"
#include "parents/null/null.h"
#include "pci_fake.h"

/*
 * Runs code with the first, second ... allocation failing, until it succeeds without one that fails.  "r" is the
 * result; "undo" runs after success, "check" after failure.
 */
#define fail_each(min_allocations, code, check, undo)                           \
	do {                                                                    \
		unsigned int n_ = 1;                                            \
		for (;; n_++) {                                                 \
			alloc_fail_at(n_);                                      \
			code;                                                   \
			if (!alloc_has_failed())                                \
				break;                                          \
			check;                                                  \
		}                                                               \
		assert_true(n_ > (min_allocations));                            \
		undo;                                                           \
	} while (0)

static void test_core_create_fails(void **state)
{
	struct trn_core *core;

	fail_each(1, core = trn_core_create(), assert_null(core), trn_core_destroy(core));
}

static void test_register_fails(void **state)
{
	struct trn_core *core = trn_core_create();
	struct trn_parent_desc desc = {
		.name = "p0",
		.ops = &fake_ops,
		.types = fake_types,
		.nr_types = 3,
		.capacity = fake_capacity,
	};
	struct trn_parent *parent = NULL;
	struct trn_error err = { 0 };
	int r;

	fail_each(8, r = trn_parent_register(core, &desc, &parent, &err), {
		assert_refused(r, err, -ENOMEM, "NoMemory");
		assert_null(parent);
		assert_null(trn_parent_find(core, "p0"));
	}, {
		assert_int_equal(r, 0);
		assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
		trn_parent_unref(parent);
	});
	trn_core_destroy(core);
}

static void test_device_calls_fail(void **state)
{
	struct trn_core *core = trn_core_create();
	struct trn_device *dev = NULL, **devs = NULL;
	struct trn_parent **parents = NULL;
	struct trn_listener *listener = NULL;
	struct trn_error err = { 0 };
	struct trn_use *use = NULL;
	struct fake f;
	int r;

	fake_init(&f, core, "p0");
	fail_each(1, r = fake_create(f.big, 1, &dev, &err), {
		assert_refused(r, err, -ENOMEM, "NoMemory");
		assert_null(dev);
		assert_int_equal(trn_type_get_available(f.big), 2);
		assert_int_equal(trn_device_find(core, fake_uuid(1), &dev, NULL), -ENODEV);
	}, assert_int_equal(r, 0));
	fail_each(1, r = trn_device_open(dev, "x", NULL, &use, &err), {
		assert_refused(r, err, -ENOMEM, "NoMemory");
		assert_null(use);
		assert_int_equal(trn_device_nr_uses(dev), 0);
	}, assert_int_equal(r, 0));
	fail_each(1, r = trn_device_list(core, NULL, &devs, NULL), {
		assert_int_equal(r, -ENOMEM);
		assert_null(devs);
	}, trn_device_list_free(devs));
	fail_each(1, r = trn_parent_list(core, &parents, NULL), {
		assert_int_equal(r, -ENOMEM);
		assert_null(parents);
	}, trn_parent_list_free(parents));
	fail_each(1, listener = trn_listener_add(core, journal_listen, NULL), assert_null(listener),
		  trn_listener_remove(listener));
	trn_use_close(use);
	trn_device_unref(dev);
	fake_finish(&f);
	trn_core_destroy(core);
}

/* Removing must be possible when memory is gone; waiting needs a descriptor, and is refused before it begins. */
static void test_removal_needs_no_memory(void **state)
{
	struct trn_remove_params ask = { .policy = TRN_REMOVE_ASK };
	struct trn_core *core = trn_core_create();
	struct trn_error err = { 0 };
	struct trn_device *dev;
	struct fake f;
	int r;

	fake_init(&f, core, "p0");
	dev = fake_device(f.small, 1);
	fail_each(1, r = trn_device_remove(dev, &ask, &err), {
		assert_refused(r, err, -EMFILE, "NoDescriptor");
		trn_use_close(fake_open(dev, "still works"));
	}, assert_int_equal(r, 0));
	trn_device_unref(dev);

	dev = fake_device(f.small, 1);
	fail_each(0, r = trn_device_remove(dev, NULL, &err), fail(), assert_int_equal(r, 0));
	trn_device_unref(dev);

	trn_device_unref(fake_device(f.small, 2));
	fail_each(1, r = trn_parent_unregister(f.parent, NULL, &err), {
		assert_refused(r, err, -EMFILE, "NoDescriptor");
		trn_device_unref(fake_device(f.small, 3));
		assert_int_equal(trn_device_find(core, fake_uuid(3), &dev, NULL), 0);
		assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
		trn_device_unref(dev);
	}, assert_int_equal(r, 0));
	fake_finish(&f);
	trn_core_destroy(core);
}

static void test_null_device_fails(void **state)
{
	struct trn_core *core = trn_core_create();
	struct trn_parent *parent = NULL;
	struct trn_device *dev = NULL;
	struct trn_error err = { 0 };
	struct trn_type *type;
	int r;

	assert_int_equal(null_parent_register(core, "null", 8, &parent, NULL), 0);
	type = trn_type_find(parent, "null-big");
	fail_each(3, r = fake_create(type, 1, &dev, &err), {
		assert_true(r == -ENOMEM || r == -EMFILE);
		assert_refused(r, err, r, "NoMemory");
		assert_int_equal(trn_type_get_available(type), 2);
	}, trn_device_unref(dev));
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
	trn_core_destroy(core);
}

static void test_blob_fails(void **state)
{
	struct base_blob b = { 0 };

	fail_each(2, {
		size_t mark = base_blob_begin(&b, 1);

		for (uint32_t i = 0; i < 100; i++)
			base_blob_put_u64(&b, 2, i);
		base_blob_end(&b, mark);
	}, {
		assert_true(b.failed);
		base_blob_finish(&b);
	}, {
		assert_false(b.failed);
		base_blob_finish(&b);
	});
}

static void test_handles_fail(void **state)
{
	struct base_handles h;
	int a, r;

	base_handles_init(&h, 1000);
	assert_int_equal(base_handles_add(&h, 1ull << 32, &a), 0);
	fail_each(1, r = base_handles_add(&h, 1ull << 32 | 500, &a), {
		assert_int_equal(r, -ENOMEM);
		assert_ptr_equal(base_handles_get(&h, 1ull << 32), &a);
		assert_null(base_handles_get(&h, 1ull << 32 | 500));
	}, assert_int_equal(r, 0));
	base_handles_finish(&h);
}

static int build_pci(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_bar memory = { .size = 8192, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };
	int r = trn_pci_add_bar(pci, 0, &memory, err);

	if (r == 0)
		r = trn_pci_set_rom(pci, "rom", 3, err);
	if (r == 0)
		r = trn_pci_add_region(pci, 1, 1, &memory, err);
	if (r >= 0)
		r = trn_pci_add_msi(pci, 4, err);
	return r < 0 ? r : trn_pci_add_msix(pci, 8, 0, 0, 4096, err);
}

static void test_pci_device_fails(void **state)
{
	struct pci_fake f = { .build = build_pci, .flags = TRN_PCI_INTX | TRN_PCI_ERR | TRN_PCI_ASK_TO_LEAVE };
	struct trn_device *dev = NULL;
	struct trn_error err = { 0 };
	int r;

	pci_fake_start(&f);
	fail_each(8, r = fake_create(trn_type_at(f.parent, 0), 2, &dev, &err), {
		assert_true(r < 0 && r == err.code && err.text[0]);
		assert_null(dev);
		err = (struct trn_error){ 0 };
	}, {
		assert_int_equal(r, 0);
		assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
		trn_device_unref(dev);
	});
	pci_fake_stop(&f);
}

static void test_pci_mapping_fails(void **state)
{
	struct pci_fake f = { .build = build_pci };
	struct trn_pci_mapping *mapping = NULL;
	void *addr = NULL;
	int r;

	pci_fake_start(&f);
	r = trn_pci_map(f.use, 0, 0, 8192, &mapping, &addr);
	if (r == 0) {
		trn_pci_unmap(mapping);
		mapping = NULL;
		fail_each(4, r = trn_pci_map(f.use, 0, 0, 8192, &mapping, &addr), {
			assert_true(r < 0);
			assert_null(mapping);
		}, {
			assert_int_equal(r, 0);
			trn_pci_unmap(mapping);
		});
	} else {
		assert_true(r == -EOPNOTSUPP || r == -EPERM);
	}
	pci_fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_core_create_fails),
		cmocka_unit_test(test_register_fails),
		cmocka_unit_test(test_device_calls_fail),
		cmocka_unit_test(test_removal_needs_no_memory),
		cmocka_unit_test(test_null_device_fails),
		cmocka_unit_test(test_pci_device_fails),
		cmocka_unit_test(test_pci_mapping_fails),
		cmocka_unit_test(test_blob_fails),
		cmocka_unit_test(test_handles_fail),
	};

	return unit_run(tests);
}
