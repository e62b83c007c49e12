package memstore

import "time"

// queue is a binary heap that orders items by expiry, soonest first. It is
// lazy: a slot's due time may be earlier than its item's expiry, never later.
// Extending an expiry, as every touch does, therefore costs nothing here.
// settle corrects the first slot when a caller asks for it.
//
// It does not use container/heap, which would call through an interface for
// every step while a shard is locked.
type queue []slot

// slot is one waiting item. due is in Unix milliseconds, rounded down. Unlike
// nanoseconds, they can hold any expiry that a caller may give.
type slot struct {
	due int64
	it  *item
}

// push adds it, due at its expiry.
func (q *queue) push(it *item) {
	it.pos = len(*q)
	*q = append(*q, slot{due: it.expires.UnixMilli(), it: it})
	q.up(it.pos)
}

// remove removes it.
func (q *queue) remove(it *item) {
	i, last := it.pos, len(*q)-1
	q.swap(i, last)
	(*q)[last] = slot{} // so that the item can be collected
	*q = (*q)[:last]
	if i < last {
		q.down(i)
		q.up(i)
	}
}

// moved tells the queue that the expiry of it has changed.
func (q queue) moved(it *item) {
	if due := it.expires.UnixMilli(); due < q[it.pos].due {
		q[it.pos].due = due
		q.up(it.pos)
	}
}

// first returns the item that expires first, nil if the queue is empty.
func (q queue) first() *item {
	if len(q) == 0 {
		return nil
	}
	q.settle()
	return q[0].it
}

// settle corrects the first slot's due time.
func (q queue) settle() {
	for {
		due := q[0].it.expires.UnixMilli()
		if q[0].due >= due {
			return
		}
		q[0].due = due
		q.down(0)
	}
}

// firstBut returns the first slot whose item is not skip. It finds the second
// best by due time alone, which is accurate enough to choose an eviction.
func (q queue) firstBut(skip *item) (slot, bool) {
	if first := q.first(); first == nil || first != skip {
		return q.at(0)
	}
	left, ok := q.at(1)
	if right, both := q.at(2); both && right.due < left.due {
		return right, true
	}
	return left, ok
}

// expired returns how many items at i and behind it have expired. Nothing behind a slot
// is due sooner, so it stops where one is not due.
func (q queue) expired(i int, now time.Time) int {
	if i >= len(q) || q[i].due > now.UnixMilli() {
		return 0
	}
	n := q.expired(2*i+1, now) + q.expired(2*i+2, now)
	if !q[i].it.live(now) {
		n++
	}
	return n
}

// at returns the slot at i, if there is one.
func (q queue) at(i int) (slot, bool) {
	if i >= len(q) {
		return slot{}, false
	}
	return q[i], true
}

// up moves the slot at i towards the front until it is in order.
func (q queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if q[parent].due <= q[i].due {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

// down moves the slot at i towards the back until it is in order.
func (q queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if right := child + 1; right < len(q) && q[right].due < q[child].due {
			child = right
		}
		if q[i].due <= q[child].due {
			return
		}
		q.swap(i, child)
		i = child
	}
}

// swap exchanges two slots and updates their items.
func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].it.pos, q[j].it.pos = i, j
}
