// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the host and its answers: two rings of 32 slots in the control area. Where it
 * would be awkward to fail (SEGMENT_DESTROY, SESSION_CLOSE) a request is made ahead of time;
 * to submit one cannot fail and never waits: without room in the ring it joins the backlog.
 * A waiter that is killed leaves its request behind, and what it is about stays until the
 * host has answered.
 *
 * The host is not trusted: a reply is copied once, and what does not fit resets the device.
 */
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "tranche_drv.h"

#define REQUEST_TIMEOUT (30 * HZ)
#define LOOK_AGAIN (HZ / 2)

void tranche_control_kick(struct tranche_device *tdev)
{
	mod_delayed_work(tdev->wq, &tdev->work, 0);
}

/* Somebody waits: a device that died tells nobody. */
void tranche_control_watch(struct tranche_device *tdev)
{
	queue_delayed_work(tdev->wq, &tdev->work, LOOK_AGAIN);
}

struct tranche_request *tranche_request_new(struct tranche_device *tdev, u32 type)
{
	struct tranche_control *c = &tdev->control;
	struct tranche_request *req = kzalloc(sizeof(*req), GFP_KERNEL_ACCOUNT);

	if (!req)
		return NULL;
	req->tdev = tdev;
	req->type = type;
	kref_init(&req->ref);
	init_completion(&req->completion);
	if (xa_alloc_cyclic(&c->requests, &req->id, req, xa_limit_32b, &c->next_id,
			    GFP_KERNEL_ACCOUNT) < 0) {
		kfree(req);
		return NULL;
	}
	return req;
}

/* Not left to the release alone: the context may be who keeps the request. */
static void request_unpin(struct tranche_request *req)
{
	tranche_object_put(req->object[0]);
	tranche_object_put(req->object[1]);
	memset(req->object, 0, sizeof(req->object));
	tranche_context_put(xchg(&req->context, NULL));
}

static void request_release(struct kref *ref)
{
	struct tranche_request *req = container_of(ref, struct tranche_request, ref);
	struct tranche_control *c = &req->tdev->control;

	/* control_reply() looks for it under this lock. */
	scoped_guard(spinlock, &c->lock)
		xa_erase(&c->requests, req->id);
	request_unpin(req);
	kfree(req->open);
	kfree(req);
}

void tranche_request_put(struct tranche_request *req)
{
	if (!IS_ERR_OR_NULL(req))
		kref_put(&req->ref, request_release);
}

/* It is DONE, in no list, and the rings' reference is ours. */
static void request_finish(struct tranche_request *req, int status)
{
	req->status = status;
	if (req->done)
		req->done(req);
	complete_all(&req->completion);
	request_unpin(req);
	tranche_session_put(req->session);
	tranche_request_put(req);
}

static void control_fill(struct tranche_device *tdev, struct tranche_request *req)
{
	struct trnc_control_slot *slot = tdev->aperture +
		tranche_slot_offset(TRNC_CONTROL_REQUESTS, tdev->control.producer);
	u32 len = tranche_sizes(req->type).body;

	slot->session = cpu_to_le32(req->slot);
	slot->reserved = 0;
	slot->msg = (struct trnc_msg){
		.type = cpu_to_le32(req->type),
		.len = cpu_to_le32(sizeof(slot->msg) + len),
		.id = cpu_to_le64(req->id),
	};
	memcpy(slot->body, req->open ? (void *)req->open : &req->body, len);
}

/* Moves what fits from the backlog into the ring. */
static void control_pump(struct tranche_device *tdev)
{
	struct tranche_control *c = &tdev->control;
	u64 consumer, producer = c->producer;
	struct tranche_request *req, *next;

	lockdep_assert_held(&c->lock);
	/* Pairs with the host's release: it has copied the slots before. */
	consumer = le64_to_cpu(virt_load_acquire(&c->host->request_consumer));
	if (!tranche_consumer_ok(c->consumer, consumer, producer)) {
		c->broken = true;
		tranche_control_kick(tdev);
		return;
	}
	if (c->consumer != consumer)
		c->moved = jiffies;
	c->consumer = consumer;
	list_for_each_entry_safe(req, next, &c->backlog, link) {
		bool unbounded = tranche_sizes(req->type).unbounded;

		if (!tranche_ring_room(c->producer, consumer))
			break;
		control_fill(tdev, req);
		req->state = TRANCHE_REQUEST_SENT;
		req->deadline = jiffies + REQUEST_TIMEOUT;
		list_move_tail(&req->link, unbounded ? &c->patient : &c->sent);
		c->producer++;
	}
	if (c->producer == producer)
		return;
	/* The slots are written before the host sees the new position. */
	virt_store_release(&c->guest->request_producer, cpu_to_le64(c->producer));
	writel(1, tdev->regs + TRNC_REG_DOORBELL_CONTROL);
}

static int request_error(struct tranche_request *req)
{
	struct tranche_session *session = req->session;
	struct tranche_device *tdev = req->tdev;

	if (tdev->control.error)
		return tdev->control.error;
	if ((req->epoch && req->epoch != tdev->epoch) || (session && !req->slot))
		return -ESHUTDOWN;
	if (session && req->type != TRNC_MSG_SESSION_CLOSE &&
	    (READ_ONCE(session->lost) || READ_ONCE(session->closing)))
		return -ESHUTDOWN;
	return 0;
}

static int request_queue(struct tranche_request *req)
{
	struct tranche_control *c = &req->tdev->control;
	int error = -ENODEV;

	CLASS(tranche_use, use)(req->tdev);
	if (!use.ok)
		return error;
	scoped_guard(spinlock, &c->lock) {
		req->slot = req->session ? READ_ONCE(req->session->slot) : 0;
		error = request_error(req);
		if (error)
			break;
		if (list_empty(&c->backlog))
			c->moved = jiffies;
		list_add_tail(&req->link, &c->backlog);
		control_pump(req->tdev);
	}
	return error;
}

/*
 * Sends it, never waits. If it cannot be sent it ends here, and done() is called: so none of
 * the driver's locks but the first two may be held.
 */
void tranche_request_submit(struct tranche_request *req, struct tranche_session *session)
{
	struct tranche_device *tdev = req->tdev;
	int error;

	kref_get(&req->ref);
	if (session)
		kref_get(&session->ref);
	req->session = session;
	error = request_queue(req);
	if (!error) {
		/* It may have been answered and freed. */
		tranche_control_watch(tdev);
		return;
	}
	req->state = TRANCHE_REQUEST_DONE;
	request_finish(req, error);
}

/* Killed, the caller has nothing to say any more: see req->abandoned. */
int tranche_request_wait(struct tranche_request *req)
{
	int ret = wait_for_completion_killable(&req->completion);

	if (!ret)
		return req->status;
	scoped_guard(spinlock, &req->tdev->control.lock) {
		req->abandoned = req->state != TRANCHE_REQUEST_DONE;
		if (req->abandoned)
			return ret;
	}
	/* It is being finished at this moment. */
	wait_for_completion(&req->completion);
	return req->status;
}

int tranche_request_call(struct tranche_request *req, struct tranche_session *session)
{
	tranche_request_submit(req, session);
	return tranche_request_wait(req);
}

static bool control_reply(struct tranche_device *tdev, const struct trnc_control_slot *slot)
{
	struct tranche_control *c = &tdev->control;
	u64 id = le64_to_cpu(slot->msg.id);
	struct tranche_request *req;

	if (!id)
		return tranche_session_lost(tdev, slot);
	scoped_guard(spinlock, &c->lock) {
		req = id <= U32_MAX ? xa_load(&c->requests, id) : NULL;
		if (!req || req->state != TRANCHE_REQUEST_SENT ||
		    !tranche_reply_ok(slot, req->slot, req->type))
			return false;
		list_del(&req->link);
		req->state = TRANCHE_REQUEST_DONE;
	}
	memcpy(&req->reply, slot->body, tranche_sizes(req->type).reply);
	request_finish(req, tranche_errno(le32_to_cpu(slot->msg.status)));
	return true;
}

/* Returns how many replies there were, or negative: the host broke a rule. */
static int control_replies(struct tranche_device *tdev)
{
	struct tranche_control *c = &tdev->control;
	u64 producer, first = c->replies;
	bool full;

	for (;;) {
		/* Pairs with the host's release: the slots are written. */
		producer = le64_to_cpu(virt_load_acquire(&c->host->reply_producer));
		if (producer == c->replies)
			return c->replies != first;
		if (!tranche_producer_ok(c->replies, producer))
			return -EPROTO;
		full = producer - c->replies == TRNC_CONTROL_SLOTS;
		for (; c->replies != producer; c->replies++) {
			u32 at = tranche_slot_offset(TRNC_CONTROL_REPLIES, c->replies);

			memcpy(c->copy, tdev->aperture + at, sizeof(*c->copy));
			if (!control_reply(tdev, c->copy))
				return -EPROTO;
		}
		/* The host may write over what was copied. */
		virt_store_release(&c->guest->reply_consumer, cpu_to_le64(c->replies));
		if (full)
			writel(1, tdev->regs + TRNC_REG_DOORBELL_CONTROL);
		cond_resched();
	}
}

/*
 * Is an answer overdue, or has nothing been read for as long? The first was sent first. How
 * many requests wait is the programs' choice, so nobody walks through them.
 */
static bool control_is_late(struct tranche_control *c)
{
	struct tranche_request *req = list_first_entry_or_null(&c->sent, struct tranche_request,
							       link);

	return (req && time_after(jiffies, req->deadline)) ||
	       (!list_empty(&c->backlog) && time_after(jiffies, c->moved + REQUEST_TIMEOUT));
}

/* Replies, requests, time limits, news of STATUS. NULL, or why the device is to be reset. */
static const char *control_run(struct tranche_device *tdev)
{
	struct tranche_control *c = &tdev->control;
	int replies = control_replies(tdev);

	if (replies < 0)
		return "answers what cannot be";
	scoped_guard(spinlock, &c->lock) {
		if (!list_empty(&c->backlog))
			control_pump(tdev);
		if (c->broken || control_is_late(c))
			return "does not read or answer";
	}
	if (time_before(jiffies, tdev->status_at + LOOK_AGAIN) &&
	    (replies || !READ_ONCE(tdev->look)))
		return NULL;
	WRITE_ONCE(tdev->look, false);
	return tranche_device_check(tdev) ? NULL : "has stopped";
}

/* How soon to look again if no interrupt comes; 0: not at all. */
static unsigned long control_rest(struct tranche_device *tdev)
{
	struct tranche_control *c = &tdev->control;
	bool waits = READ_ONCE(tdev->look) || atomic_read(&tdev->waits);

	if (READ_ONCE(c->error))
		return READ_ONCE(c->error) == -ETIMEDOUT ? LOOK_AGAIN : 0;
	if (!list_empty_careful(&c->backlog))
		return 1;
	waits |= !list_empty_careful(&c->sent) || !list_empty_careful(&c->patient);
	return waits ? LOOK_AGAIN : 0;
}

/* By interrupt, and every half second while somebody waits. */
static void control_work(struct work_struct *work)
{
	struct tranche_device *tdev = container_of(work, struct tranche_device, work.work);
	const char *why = NULL;
	unsigned long rest;

	scoped_guard(mutex, &tdev->reset_lock) {
		if (!tdev->control.error) {
			CLASS(tranche_use, use)(tdev);
			if (use.ok)
				why = control_run(tdev);
		}
		if (why)
			tranche_device_reset(tdev, why);
		else if (tdev->control.error == -ETIMEDOUT)
			tranche_device_retry(tdev);
	}
	rest = control_rest(tdev);
	if (rest)
		queue_delayed_work(tdev->wq, &tdev->work, rest);
}

/* The rings are empty and zero: START has come. */
void tranche_control_start(struct tranche_device *tdev)
{
	struct tranche_control *c = &tdev->control;

	spin_lock(&c->lock);
	c->guest = tdev->aperture + TRNC_CONTROL_GUEST;
	c->host = tdev->aperture + TRNC_CONTROL_HOST;
	c->error = 0;
	c->broken = false;
	c->producer = 0;
	c->consumer = 0;
	c->replies = 0;
	spin_unlock(&c->lock);
}

/* Ends all requests, those to come, too. */
void tranche_control_stop(struct tranche_device *tdev, int error)
{
	struct tranche_control *c = &tdev->control;
	struct tranche_request *req, *next;
	LIST_HEAD(list);

	lockdep_assert_held(&tdev->reset_lock);
	scoped_guard(spinlock, &c->lock) {
		c->error = error;
		list_splice_init(&c->sent, &list);
		list_splice_tail_init(&c->patient, &list);
		list_splice_tail_init(&c->backlog, &list);
		list_for_each_entry(req, &list, link)
			req->state = TRANCHE_REQUEST_DONE;
	}
	list_for_each_entry_safe(req, next, &list, link)
		request_finish(req, error);
}

static void control_release(struct drm_device *drm, void *data)
{
	struct tranche_device *tdev = to_tranche(drm);

	cancel_delayed_work_sync(&tdev->work);
	if (tdev->wq)
		destroy_workqueue(tdev->wq);
	xa_destroy(&tdev->control.requests);
}

int tranche_control_init(struct tranche_device *tdev)
{
	struct tranche_control *c = &tdev->control;
	int ret;

	spin_lock_init(&c->lock);
	c->error = -ENODEV;
	INIT_LIST_HEAD(&c->backlog);
	INIT_LIST_HEAD(&c->sent);
	INIT_LIST_HEAD(&c->patient);
	xa_init_flags(&c->requests, XA_FLAGS_ALLOC1);
	INIT_DELAYED_WORK(&tdev->work, control_work);
	ret = drmm_add_action_or_reset(&tdev->drm, control_release, NULL);
	if (ret)
		return ret;
	tdev->wq = alloc_ordered_workqueue("%s", 0, dev_name(tdev->drm.dev));
	c->copy = drmm_kmalloc(&tdev->drm, sizeof(*c->copy), GFP_KERNEL);
	return tdev->wq && c->copy ? 0 : -ENOMEM;
}

/* Wakes all who wait, of the sessions with these slots. */
void tranche_control_wake(struct tranche_device *tdev, u64 sessions)
{
	struct tranche_session *session;

	guard(rcu)();
	for (; sessions; sessions &= sessions - 1) {
		session = rcu_dereference(tdev->sessions[__ffs64(sessions)]);
		if (session)
			tranche_session_wake(session);
	}
}

/* Takes the word of the vector's sessions; the first vector is for replies, too. */
irqreturn_t tranche_irq(int irq, void *data)
{
	struct tranche_device **vector = data, *tdev = *vector;
	struct trnc_control_pending *pending = tdev->aperture + TRNC_CONTROL_PENDING;
	size_t index = vector - tdev->vectors;
	u64 sessions = le64_to_cpu(xchg(&pending[index].sessions, 0));

	tranche_control_wake(tdev, sessions);
	if (index)
		return IRQ_HANDLED;
	if (!sessions)
		WRITE_ONCE(tdev->look, true);
	tranche_control_kick(tdev);
	return IRQ_HANDLED;
}
