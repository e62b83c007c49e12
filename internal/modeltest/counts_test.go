package modeltest

import "github.com/satchel-go/satchel/core"

// counts is what the schedules have provoked. A test that provokes nothing
// shows nothing.
type counts struct {
	conflicts   int // saves that met a conflict and were tried again
	dropped     int // commits whose changes were dropped
	doubles     int // flashes that two responses have shown
	superseded  int // requests whose token was the one before
	evictions   int // sessions that made room for a login
	revocations int
	faults      int
	failures    int // commits that failed
	commits     int
}

func (c *counts) add(a *actor) {
	c.commits++
	c.conflicts += a.act.conflicts
	if a.told(core.EventDropped) {
		c.dropped++
	}
	if a.told(core.EventFailed) {
		c.failures++
	}
}

func (c *counts) plus(d *counts) {
	c.conflicts += d.conflicts
	c.dropped += d.dropped
	c.doubles += d.doubles
	c.superseded += d.superseded
	c.evictions += d.evictions
	c.revocations += d.revocations
	c.faults += d.faults
	c.failures += d.failures
	c.commits += d.commits
}
