// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for the host. What a program submits goes by the kernel, so there is
 * no dma_fence to wait for: threads sleep and eventfds are armed until the
 * host's count of commands has come that far, or its attention was moved.
 *
 * Who sleeps first says so in the kernel page (wake_at, then kernel_asleep),
 * then looks again; the host publishes first, then looks at the kernel page.
 * So one of both sees the other. A wake-up too many does no harm.
 */
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "tranche_drv.h"

#define MAX_EVENTFDS 64

/**
 * struct tranche_waiter - a thread that sleeps, or an eventfd
 * @link: in the context's list
 * @sequence: count of commands that is waited for
 * @attention: that was seen
 * @kicks: that were seen, by a thread
 * @eventfd: NULL for a thread
 * @fired: it was signalled, and is only kept until somebody can free it
 */
struct tranche_waiter {
	struct list_head link;
	u64 sequence;
	u64 attention;
	u32 kicks;
	struct eventfd_ctx *eventfd;
	bool fired;
};

static struct tranche_device *context_device(struct tranche_context *ctx)
{
	return ctx->session->tdev;
}

/*
 * -EAGAIN: nothing has come. Shared memory is not touched when it may be
 * another session's by now, or no more there: tranche_session_lose() comes
 * before that, and goes through the context's lock.
 */
static int context_look(struct tranche_context *ctx,
			const struct tranche_waiter *waiter)
{
	u64 commands, attention;
	u32 kicks;

	if (READ_ONCE(ctx->session->lost))
		return -ESHUTDOWN;
	if (!READ_ONCE(ctx->is_live))
		return -ENOENT;
	commands = le64_to_cpu(smp_load_acquire(&ctx->host->commands));
	attention = le64_to_cpu(smp_load_acquire(&ctx->host->attention));
	kicks = le32_to_cpu(READ_ONCE(ctx->user->kicks));
	if (READ_ONCE(ctx->host->lost))
		return -ESHUTDOWN;
	if (commands >= waiter->sequence || attention != waiter->attention ||
	    (!waiter->eventfd && kicks != waiter->kicks))
		return 0;
	return -EAGAIN;
}

/* Asks the host to wake us. */
static void context_arm(struct tranche_context *ctx)
{
	struct tranche_waiter *waiter;
	u64 wake_at = U64_MAX;

	lockdep_assert_held(&ctx->lock);
	if (READ_ONCE(ctx->session->lost) || !READ_ONCE(ctx->is_live))
		return;
	list_for_each_entry(waiter, &ctx->waiters, link)
		if (!waiter->fired)
			wake_at = min(wake_at, waiter->sequence);
	WRITE_ONCE(ctx->kernel->wake_at, cpu_to_le64(wake_at));
	smp_store_release(&ctx->kernel->kernel_asleep,
			  cpu_to_le32(TRNC_KERNEL_ASLEEP));
	/* Pairs with the host's barrier between its news and its look. */
	smp_mb();
}

/* Signals eventfds that have news; tells whether others are left. */
static bool context_fire(struct tranche_context *ctx)
{
	struct tranche_waiter *waiter;
	bool left = false;

	lockdep_assert_held(&ctx->lock);
	list_for_each_entry(waiter, &ctx->waiters, link) {
		if (!waiter->eventfd || waiter->fired)
			continue;
		if (context_look(ctx, waiter) == -EAGAIN) {
			left = true;
			continue;
		}
		waiter->fired = true;
		eventfd_signal(waiter->eventfd);
		atomic_dec(&context_device(ctx)->waits);
	}
	return left;
}

/* There may be news; also from the interrupt handler. */
void tranche_context_wake(struct tranche_context *ctx)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx->lock, flags);
	if (context_fire(ctx)) {
		context_arm(ctx);
		context_fire(ctx);
	}
	spin_unlock_irqrestore(&ctx->lock, flags);
	wake_up_all(&ctx->queue);
}

static void waiter_free(struct tranche_waiter *waiter)
{
	eventfd_ctx_put(waiter->eventfd);
	kfree(waiter);
}

/* Frees eventfds: those that were signalled, or all. */
static void context_prune(struct tranche_context *ctx, bool all)
{
	struct tranche_waiter *waiter, *next;
	LIST_HEAD(list);

	spin_lock_irq(&ctx->lock);
	list_for_each_entry_safe(waiter, next, &ctx->waiters, link) {
		if (!waiter->eventfd || !(all || waiter->fired))
			continue;
		if (!waiter->fired)
			atomic_dec(&context_device(ctx)->waits);
		list_move(&waiter->link, &list);
	}
	spin_unlock_irq(&ctx->lock);
	list_for_each_entry_safe(waiter, next, &list, link)
		waiter_free(waiter);
}

void tranche_context_forget(struct tranche_context *ctx)
{
	context_prune(ctx, true);
}

/* Somebody waits, so somebody has to notice a device that died. */
static void device_watch(struct tranche_device *tdev)
{
	atomic_inc(&tdev->waits);
	queue_delayed_work(tdev->wq, &tdev->work, HZ / 2);
}

/*
 * One look of a thread. No reference to the device is held while it sleeps, so
 * an unplug does not wait for it, but it for the unplug.
 */
static int wait_look(struct tranche_context *ctx,
		     const struct tranche_waiter *waiter, bool arm)
{
	int ret, idx;

	if (!drm_dev_enter(&context_device(ctx)->drm, &idx))
		return -ENODEV;
	if (arm) {
		spin_lock_irq(&ctx->lock);
		context_arm(ctx);
		spin_unlock_irq(&ctx->lock);
	}
	ret = context_look(ctx, waiter);
	drm_dev_exit(idx);
	return ret;
}

static int wait_sleep(struct tranche_context *ctx,
		      const struct tranche_waiter *waiter, s64 timeout_ns)
{
	ktime_t deadline = ns_to_ktime(timeout_ns);
	DEFINE_WAIT(entry);
	bool late = false;
	int ret;

	for (;;) {
		prepare_to_wait(&ctx->queue, &entry, TASK_INTERRUPTIBLE);
		ret = wait_look(ctx, waiter, true);
		if (ret != -EAGAIN)
			break;
		if (late) {
			ret = -ETIME;
			break;
		}
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		late = !schedule_hrtimeout_range(
			timeout_ns < 0 ? NULL : &deadline,
			current->timer_slack_ns, HRTIMER_MODE_ABS);
	}
	finish_wait(&ctx->queue, &entry);
	return ret;
}

static int wait_listed(struct tranche_context *ctx,
		       struct tranche_waiter *waiter, s64 timeout_ns)
{
	struct tranche_device *tdev = context_device(ctx);
	int ret;

	device_watch(tdev);
	spin_lock_irq(&ctx->lock);
	list_add_tail(&waiter->link, &ctx->waiters);
	spin_unlock_irq(&ctx->lock);
	ret = wait_sleep(ctx, waiter, timeout_ns);
	spin_lock_irq(&ctx->lock);
	list_del(&waiter->link);
	spin_unlock_irq(&ctx->lock);
	atomic_dec(&tdev->waits);
	return ret;
}

static void wait_fill(struct tranche_context *ctx,
		      struct drm_tranche_wait *args)
{
	int idx;

	if (!drm_dev_enter(&context_device(ctx)->drm, &idx))
		return;
	args->commands = le64_to_cpu(READ_ONCE(ctx->host->commands));
	args->attention_now = le64_to_cpu(READ_ONCE(ctx->host->attention));
	drm_dev_exit(idx);
}

int tranche_wait(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_wait *args = data;
	struct tranche_waiter waiter = {
		.sequence = args->sequence,
		.attention = args->attention,
		.kicks = args->kicks,
	};
	struct tranche_context *ctx;
	int ret;

	ctx = tranche_context_get_live(file, args->context);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = wait_look(ctx, &waiter, false);
	if (ret == -EAGAIN)
		ret = wait_listed(ctx, &waiter, args->timeout_ns);
	if (!ret || ret == -ETIME)
		wait_fill(ctx, args);
	tranche_context_put(ctx);
	return ret;
}

int tranche_wake(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_wake *args = data;
	struct tranche_context *ctx;

	if (args->pad)
		return -EINVAL;
	ctx = tranche_context_get_live(file, args->context);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	wake_up_all(&ctx->queue);
	tranche_context_put(ctx);
	return 0;
}

int tranche_doorbell(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct tranche_device *tdev = to_tranche(drm);
	struct drm_tranche_doorbell *args = data;
	struct tranche_context *ctx;
	u32 slot;
	int idx;

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (args->pad)
		return -EINVAL;
	if (args->context) {
		ctx = tranche_context_get_live(file, args->context);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		tranche_context_put(ctx);
	}
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	slot = READ_ONCE(session->slot);
	if (slot)
		writel(slot << 8 | args->context,
		       tdev->regs + TRNC_REG_DOORBELL_CHANNEL);
	drm_dev_exit(idx);
	return slot ? 0 : -ESHUTDOWN;
}

static int eventfd_add(struct tranche_context *ctx,
		       struct tranche_waiter *waiter)
{
	struct tranche_waiter *other;
	int nr = 0;

	spin_lock_irq(&ctx->lock);
	list_for_each_entry(other, &ctx->waiters, link)
		nr += other->eventfd && !other->fired;
	if (nr < MAX_EVENTFDS)
		list_add_tail(&waiter->link, &ctx->waiters);
	spin_unlock_irq(&ctx->lock);
	return nr < MAX_EVENTFDS ? 0 : -ENOSPC;
}

static int eventfd_arm(struct tranche_context *ctx,
		       struct drm_tranche_eventfd *args)
{
	struct tranche_device *tdev = context_device(ctx);
	struct tranche_waiter *waiter;
	int ret, idx;

	waiter = kzalloc(sizeof(*waiter), GFP_KERNEL_ACCOUNT);
	if (!waiter)
		return -ENOMEM;
	waiter->sequence = args->sequence;
	waiter->attention = args->attention;
	waiter->eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(waiter->eventfd)) {
		ret = PTR_ERR(waiter->eventfd);
		kfree(waiter);
		return ret;
	}
	/* Who unplugs wakes everybody, but not before we are in the list. */
	if (!drm_dev_enter(&tdev->drm, &idx)) {
		waiter_free(waiter);
		return -ENODEV;
	}
	device_watch(tdev);
	ret = eventfd_add(ctx, waiter);
	if (ret) {
		atomic_dec(&tdev->waits);
		waiter_free(waiter);
	} else {
		/* It may have come already. */
		tranche_context_wake(ctx);
	}
	drm_dev_exit(idx);
	return ret;
}

int tranche_eventfd(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_eventfd *args = data;
	struct tranche_context *ctx;
	int ret = 0;

	if (args->fd < -1)
		return -EBADF;
	ctx = tranche_context_get_live(file, args->context);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	context_prune(ctx, args->fd == -1);
	if (args->fd >= 0)
		ret = eventfd_arm(ctx, args);
	tranche_context_put(ctx);
	return ret;
}
