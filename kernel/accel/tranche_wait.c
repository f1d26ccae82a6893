// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for the host. What a program submits goes by the kernel, so there is no dma_fence to
 * wait for: threads sleep and eventfds are armed until the host's count of commands has come
 * that far, or its attention was moved.
 *
 * Who sleeps first says so in the kernel page (wake_at, then kernel_asleep), then looks again;
 * the host publishes first, then looks at the kernel page. So one of both sees the other. A
 * wake-up too many does no harm.
 */
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "tranche_drv.h"

#define MAX_EVENTFDS 64

struct tranche_waiter {
	struct list_head link; /* in tranche_context.waiters */
	u64 sequence; /* count of commands that is waited for */
	u64 attention; /* that was seen */
	u32 kicks; /* that were seen, by a thread */
	struct eventfd_ctx *eventfd; /* NULL: a thread */
	bool fired; /* the eventfd was signalled; kept until somebody can free it */
	u64 commands; /* as the host said last ... */
	u64 attention_now;
};

/*
 * -EAGAIN: nothing has come. Shared memory is not touched when it may be another session's by
 * now, or no more there: before that tranche_session_lose() goes through the context's lock.
 */
static int context_look(struct tranche_context *ctx, struct tranche_waiter *waiter)
{
	u32 kicks;

	lockdep_assert_held(&ctx->lock);
	if (READ_ONCE(ctx->session->lost))
		return -ESHUTDOWN;
	if (!READ_ONCE(ctx->is_live))
		return -ENOENT;
	kicks = le32_to_cpu(READ_ONCE(ctx->user->kicks));
	waiter->commands = le64_to_cpu(READ_ONCE(ctx->host->commands));
	waiter->attention_now = le64_to_cpu(READ_ONCE(ctx->host->attention));
	if (READ_ONCE(ctx->host->lost))
		return -ESHUTDOWN;
	if (waiter->commands >= waiter->sequence || waiter->attention_now != waiter->attention ||
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
		wake_at = waiter->fired ? wake_at : min(wake_at, waiter->sequence);
	WRITE_ONCE(ctx->kernel->wake_at, cpu_to_le64(wake_at));
	/* The host looks at wake_at when it sees this one. */
	virt_store_release(&ctx->kernel->kernel_asleep, cpu_to_le32(TRNC_KERNEL_ASLEEP));
	/* Pairs with the host's barrier between its news and its look. */
	virt_mb();
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
		waiter->fired = context_look(ctx, waiter) != -EAGAIN;
		left |= !waiter->fired;
		if (!waiter->fired)
			continue;
		eventfd_signal(waiter->eventfd);
		atomic_dec(&ctx->session->tdev->waits);
	}
	return left;
}

/* There may be news; also from the interrupt handler. */
void tranche_context_wake(struct tranche_context *ctx)
{
	scoped_guard(spinlock_irqsave, &ctx->lock)
		if (context_fire(ctx)) {
			context_arm(ctx);
			context_fire(ctx);
		}
	wake_up_all(&ctx->queue);
}

/* Frees eventfds: those that were signalled, or all. */
void tranche_context_prune(struct tranche_context *ctx, bool all)
{
	struct tranche_waiter *waiter, *next;
	LIST_HEAD(list);

	scoped_guard(spinlock_irq, &ctx->lock)
		list_for_each_entry_safe(waiter, next, &ctx->waiters, link) {
			if (!waiter->eventfd || !(all || waiter->fired))
				continue;
			if (!waiter->fired)
				atomic_dec(&ctx->session->tdev->waits);
			list_move(&waiter->link, &list);
		}
	list_for_each_entry_safe(waiter, next, &list, link) {
		eventfd_ctx_put(waiter->eventfd);
		kfree(waiter);
	}
}

static int waiter_add(struct tranche_context *ctx, struct tranche_waiter *waiter, int most)
{
	struct tranche_device *tdev = ctx->session->tdev;
	struct tranche_waiter *other;

	scoped_guard(spinlock_irq, &ctx->lock) {
		list_for_each_entry(other, &ctx->waiters, link)
			most -= other->eventfd && !other->fired;
		if (most <= 0)
			return -ENOSPC;
		list_add_tail(&waiter->link, &ctx->waiters);
	}
	atomic_inc(&tdev->waits);
	tranche_control_watch(tdev);
	return 0;
}

/*
 * One look of a thread. No reference to the device is held while it sleeps, so an unplug does
 * not wait for it, but it for the unplug.
 */
static int wait_look(struct tranche_context *ctx, struct tranche_waiter *waiter, bool arm)
{
	int ret;

	CLASS(tranche_use, use)(ctx->session->tdev);
	if (!use.ok)
		return -ENODEV;
	scoped_guard(spinlock_irq, &ctx->lock) {
		ret = context_look(ctx, waiter);
		if (ret != -EAGAIN || !arm)
			break;
		/* What stays armed brings an interrupt that nobody waits for. */
		context_arm(ctx);
		ret = context_look(ctx, waiter);
	}
	return ret;
}

static int wait_sleep(struct tranche_context *ctx, struct tranche_waiter *waiter, s64 timeout_ns)
{
	ktime_t deadline = ns_to_ktime(timeout_ns);
	DEFINE_WAIT(entry);
	bool late = false;
	int ret;

	for (;;) {
		prepare_to_wait(&ctx->queue, &entry, TASK_INTERRUPTIBLE);
		ret = wait_look(ctx, waiter, true);
		if (ret == -EAGAIN && late)
			ret = -ETIME;
		else if (ret == -EAGAIN && signal_pending(current))
			ret = -ERESTARTSYS;
		if (ret != -EAGAIN)
			break;
		late = !schedule_hrtimeout_range(timeout_ns < 0 ? NULL : &deadline,
						 current->timer_slack_ns, HRTIMER_MODE_ABS);
	}
	finish_wait(&ctx->queue, &entry);
	return ret;
}

int tranche_wait(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_wait *args = data;
	struct tranche_context *ctx __free(tranche_context) =
		tranche_context_get_live(file, args->context);
	struct tranche_waiter waiter = {
		.sequence = args->sequence,
		.attention = args->attention,
		.kicks = args->kicks,
	};
	int ret;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = wait_look(ctx, &waiter, false);
	if (ret == -EAGAIN) {
		waiter_add(ctx, &waiter, INT_MAX);
		ret = wait_sleep(ctx, &waiter, args->timeout_ns);
		scoped_guard(spinlock_irq, &ctx->lock)
			list_del(&waiter.link);
		atomic_dec(&ctx->session->tdev->waits);
	}
	args->commands = waiter.commands;
	args->attention_now = waiter.attention_now;
	return ret;
}

int tranche_wake(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_wake *args = data;
	struct tranche_context *ctx __free(tranche_context) =
		tranche_context_get_live(file, args->context);

	if (args->pad)
		return -EINVAL;
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	wake_up_all(&ctx->queue);
	return 0;
}

/* The only call on a command's way, when the host has nothing to do. */
int tranche_doorbell(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_doorbell *args = data;
	u32 slot;

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (args->pad || args->context > TRNC_MAX_CONTEXTS)
		return -EINVAL;
	CLASS(tranche_use, use)(session->tdev);
	if (!use.ok)
		return -ENODEV;
	slot = READ_ONCE(session->slot);
	if (!slot)
		return -ESHUTDOWN;
	writel(slot << 8 | args->context, session->tdev->regs + TRNC_REG_DOORBELL_CHANNEL);
	return 0;
}

static int eventfd_arm(struct tranche_context *ctx, const struct drm_tranche_eventfd *args)
{
	struct tranche_waiter *waiter __free(kfree) = NULL;
	int ret;

	/* Who unplugs wakes everybody, but not before we are in the list. */
	CLASS(tranche_use, use)(ctx->session->tdev);
	if (!use.ok)
		return -ENODEV;
	waiter = kzalloc(sizeof(*waiter), GFP_KERNEL_ACCOUNT);
	if (!waiter)
		return -ENOMEM;
	waiter->sequence = args->sequence;
	waiter->attention = args->attention;
	waiter->eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(waiter->eventfd))
		return PTR_ERR(waiter->eventfd);
	ret = waiter_add(ctx, waiter, MAX_EVENTFDS);
	if (ret)
		eventfd_ctx_put(waiter->eventfd);
	else
		waiter = NULL;
	tranche_context_wake(ctx); /* it may have come already */
	return ret;
}

int tranche_eventfd(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_eventfd *args = data;
	struct tranche_context *ctx __free(tranche_context) =
		tranche_context_get_live(file, args->context);

	if (args->fd < -1)
		return -EBADF;
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	tranche_context_prune(ctx, args->fd == -1);
	return args->fd == -1 ? 0 : eventfd_arm(ctx, args);
}
