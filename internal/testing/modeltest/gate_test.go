package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// down are the errors with which stores say that they cannot answer.
var down = []error{
	errors.New("the store is down"),
	fmt.Errorf("nobody there: %w", core.ErrUnavailable),
	fmt.Errorf("%w: the host of the store: %w", core.ErrUnavailable, core.ErrNotFound),
	context.DeadlineExceeded,
}

// errDown is the call's error from a store that is down.
func (c call) errDown() error { return down[(c.a.index+c.a.calls)%len(down)] }

// isGone reports whether a store's error says that something does not exist.
func isGone(err error) bool {
	return errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnavailable)
}

// gate is the store of the Manager under test. Each operation waits for its
// actor's turn, may go wrong as the script says, and is reported to the model.
type gate struct {
	w     *world
	store full
}

var _ full = (*gate)(nil)

// call is one operation on the store whose turn has come.
type call struct {
	a      *actor
	what   string
	id     core.ID
	called time.Time // when the core called it; it may have waited since
	asked  time.Time // when the core made the record to store
	fault  mishap

	reloads bool // a load that fetches the newest record
	mayAge  bool // a load that a copy could have answered
}

// ask waits for the running actor's turn.
func (g *gate) ask(what string, id core.ID) call {
	a := g.w.running
	c := call{a: a, what: what, id: id, called: g.w.clock, asked: g.w.clock}
	a.step()
	for _, f := range a.faults {
		if f.at == a.calls {
			c.fault = f.what
		}
	}
	a.calls++
	if c.fault != "" {
		a.act.trouble = true
		a.act.mishaps = append(a.act.mishaps, what+" "+string(c.fault))
		g.w.counts["store operations: "+string(c.fault)]++
	}
	if c.fault == slow {
		time.Sleep(2 * commitTimeout) // on the test's fake clock
	}
	return c
}

// do runs an operation: effect does it, told reports it to the model.
func do[T any](ctx context.Context, c call, effect func(context.Context) (T, error), told func(T, error)) (T, error) {
	var none T
	w := c.a.w
	if c.fault == fails {
		w.note("%s %s: fails", c.what, w.model.name(c.id))
		return none, c.errDown()
	}
	if c.fault == slow {
		ctx = context.WithoutCancel(ctx) // this store still answers
	}
	v, err := effect(ctx)
	told(v, err)
	if w.tracing {
		w.note("%s %s: %s %s", c.what, w.model.name(c.id), w.model.answer(v, err), c.fault)
	}
	if err != nil && !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrConflict) && !errors.Is(err, core.ErrSessionLimit) {
		c.a.act.trouble = true // a deadline passed
		if c.fault == "" {
			c.a.act.mishaps = append(c.a.act.mishaps, c.what+" too late")
		}
		if errors.Is(err, context.Canceled) {
			violate("C5", "the client hung up, and %s stopped", c.what)
		}
	}
	if c.fault == loses {
		return none, c.errDown()
	}
	return v, err
}

// answer is an operation's result in short.
func (m *model) answer(v any, err error) string {
	if err != nil {
		return err.Error()
	}
	switch v := v.(type) {
	case core.Entry:
		return fmt.Sprintf("version %d", v.Version)
	case core.Version:
		return fmt.Sprintf("now version %d", v)
	case []core.ID:
		var names []string
		for _, id := range v {
			names = append(names, m.name(id))
		}
		return fmt.Sprint(names)
	}
	return "done"
}

// do0 is do for operations without a result.
func do0(ctx context.Context, c call, effect func(context.Context) error, told func(error)) error {
	_, err := do(ctx, c,
		func(ctx context.Context) (struct{}, error) { return struct{}{}, effect(ctx) },
		func(_ struct{}, err error) { told(err) })
	return err
}

func (g *gate) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	c := g.ask("load", id)
	if c.a.act.committing && id == c.a.view.id {
		c.reloads, c.a.act.reload = c.a.act.reload, false // also if it fails
	}
	touches := c.a.touchesFromCopy(id)
	c.mayAge = c.a.mayAge() && !core.IsFresh(ctx)
	e, err := do(ctx, c,
		func(ctx context.Context) (core.Entry, error) { return g.store.Load(ctx, id) },
		func(_ core.Entry, err error) { g.w.model.loaded(c, err) })
	if touches && err != nil && !isGone(err) {
		c.a.view.touchFailed, c.a.act.touchTold = true, core.EventUnavailable
	}
	return e, err
}

func (g *gate) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	g.w.running.strip(&g.w.running.view.base)
	c := g.ask("save", id)
	if t := &c.a.act; !t.planned.IsZero() {
		c.asked, t.planned = t.planned, time.Time{} // the record was made before the reservation
	}
	return do(ctx, c,
		func(ctx context.Context) (core.Version, error) { return g.store.Save(ctx, id, e, base) },
		func(v core.Version, err error) { g.w.model.saved(c, v, err) })
}

func (g *gate) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	c := g.ask("touch", id)
	if c.a.view.touchFailed {
		violate("T2", "a request that could not touch %s tries again", g.w.model.name(id))
	}
	c.a.act.touched = true
	err := do0(ctx, c,
		func(ctx context.Context) error { return g.store.Touch(ctx, id, base, expires) },
		func(err error) { g.w.model.touched(c, base, err) })
	switch {
	case err == nil:
		c.a.act.touchTold = core.EventTouched
	case !isGone(err):
		c.a.view.touchFailed, c.a.act.touchTold = true, core.EventUnavailable
	}
	return err
}

func (g *gate) Delete(ctx context.Context, id core.ID) error {
	c := g.ask("delete", id)
	c.a.act.undoing = c.a.act.undoing || c.a.act.saved == id
	return do0(ctx, c,
		func(ctx context.Context) error { return g.store.Delete(ctx, id) },
		func(err error) { g.w.model.deleted(c, err) })
}

func (g *gate) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	c := g.ask("reserve "+user, id)
	if c.a.act.planned.IsZero() { // otherwise it is the second try
		c.a.act.planned = c.asked
	}
	end, err := do(ctx, c,
		func(ctx context.Context) ([]core.ID, error) { return g.store.Reserve(ctx, user, id, limit, policy) },
		func(end []core.ID, err error) { g.w.model.reserved(c, user, limit, end, err) })
	g.w.model.shaky(c, user, err)
	return end, err
}

func (g *gate) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	c := g.ask("confirm "+user, id)
	err := do0(ctx, c,
		func(ctx context.Context) error { return g.store.Confirm(ctx, user, id, until) },
		func(err error) { g.w.model.confirmed(c, user, err) })
	g.w.model.shaky(c, user, err)
	return err
}

func (g *gate) Release(ctx context.Context, user string, id core.ID) error {
	c := g.ask("release "+user, id)
	return do0(ctx, c,
		func(ctx context.Context) error { return g.store.Release(ctx, user, id) },
		func(err error) { g.w.model.released(c, user, err) })
}

func (g *gate) List(ctx context.Context, user string) ([]core.ID, error) {
	c := g.ask("list "+user, core.ID{})
	var lost *core.IncompleteError
	ids, err := do(ctx, c,
		func(ctx context.Context) ([]core.ID, error) {
			ids, err := g.store.List(ctx, user)
			if errors.As(err, &lost) {
				err = nil
			}
			return ids, err
		},
		func(ids []core.ID, err error) { g.w.model.listed(c, user, ids, err) })
	if err == nil && lost != nil {
		err = lost
	}
	return ids, err
}

func (g *gate) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	c := g.ask("mend "+user, id)
	if t := &c.a.act; t.committing && t.saved.IsZero() && !t.touched && t.planned.IsZero() {
		t.planned = c.asked // a login again mends before it reserves
	}
	lost := false
	return do0(ctx, c,
		func(ctx context.Context) error {
			ids, _ := g.w.raw.List(ctx, user)
			lost = !slices.Contains(ids, id)
			return g.store.Mend(ctx, user, id, until)
		},
		func(err error) { g.w.model.mended(user, id, lost, err) })
}

func (g *gate) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	c := g.ask("search "+users[0], core.ID{})
	return do(ctx, c,
		func(ctx context.Context) ([]core.ID, error) { return g.store.Search(ctx, users...) },
		func(ids []core.ID, err error) { g.w.model.searched(c, ids, err) })
}

func (g *gate) Forgetful() bool { return g.store.Forgetful() }

func (g *gate) DeleteAll(ctx context.Context) error {
	c := g.ask("delete all", core.ID{})
	return do0(ctx, c, g.store.DeleteAll, func(err error) { g.w.model.deletedAll(c, err) })
}
