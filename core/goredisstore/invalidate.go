package goredisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

// invalidated is the channel on which Redis reports changed keys to connections with
// RESP2.
const invalidated = "__redis__:invalidate"

// Invalidations implements [core.Invalidator] with CLIENT TRACKING in broadcast mode, on a
// connection of its own to each master. Redis reports every change of a key that begins
// with [Config.Prefix], expiry and evictions included. It sends a pair of PINGs on
// that same connection in each interval, and asks on one of the client's connections whether
// they lead to the same server. SWAPDB is not reported.
//
// The error matches [core.ErrUnsupported] if the server refuses, as with a user that may not
// send INFO and CLIENT TRACKING or subscribe to the channel __redis__:invalidate, and for
// a [redis.Ring], whose servers do not know of each other.
func (s *Store) Invalidations(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(t time.Time)) error {
	if s.err != nil {
		return s.err
	}
	h := &hearing{store: s, interval: interval, changed: changed, alive: alive}
	ended := make(chan error, 1)
	go func() { ended <- h.listen(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // which go-redis need not obey
		h.end()
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("goredisstore: invalidations: %w", permitted(err))
}

// hearing is one call of Invalidations.
type hearing struct {
	store    *Store
	interval time.Duration

	mu      sync.Mutex // makes calls of changed and alive one after the other
	changed func(core.ID)
	alive   func(t time.Time)
	told    []time.Time // of each connection, until when it has told everything
	begun   bool        // all connections listen
	over    bool        // nothing is told any more

	runID string // of the one server that must be listened to, "" for any
}

func (h *hearing) listen(ctx context.Context) error {
	servers, same, err := h.servers(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	h.told = make([]time.Time, len(servers)+1) // the last is that of same
	if same == nil {
		h.told = h.told[:len(servers)]
	}
	ended := make(chan error, len(h.told))
	var all sync.WaitGroup
	for i, o := range servers {
		all.Go(func() { ended <- h.hear(ctx, i, o) })
	}
	if same != nil {
		all.Go(func() { ended <- h.check(ctx, same) })
	}
	err = <-ended
	h.end()
	cancel()
	all.Wait()
	return err
}

// end makes h tell nothing any more.
func (h *hearing) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

// servers returns how to connect to each server that sessions are on, and what reports an
// error once they are on others, nil if that cannot be.
func (h *hearing) servers(ctx context.Context) (list []*redis.Options, same func(context.Context) error, err error) {
	switch c := h.store.client.(type) {
	case *redis.Client:
		return []*redis.Options{c.Options()}, h.sameServer(ctx, c), nil
	case *redis.ClusterClient:
		c.ReloadState(ctx)
		var mu sync.Mutex
		masters := map[string]bool{}
		err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			ids, err := mastersKnownTo(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			list = append(list, node.Options())
			for _, id := range ids {
				masters[id] = true
			}
			return err
		})
		switch {
		case err != nil && isAnswer(err) && strings.Contains(err.Error(), "cluster support disabled"):
			err = fmt.Errorf("a redis.ClusterClient before servers that are no cluster does not say where sessions are: use redis.NewFailoverClient or redis.NewClient: %w: %w", core.ErrUnsupported, err)
		case err == nil && len(masters) != len(list):
			err = errors.New("the nodes of the cluster do not agree on its masters")
		}
		return list, h.sameMasters(c, masters), err
	case *redis.Ring:
		return nil, nil, fmt.Errorf("a redis.Ring has no order of changes: use a single server, Sentinel or Cluster: %w", core.ErrUnsupported)
	}
	return nil, nil, fmt.Errorf("a client of type %T shows no options to connect with: give New a *redis.Client or a *redis.ClusterClient: %w", h.store.client, core.ErrUnsupported)
}

// sameServer is for failovers, by Sentinel, or by a name or a proxy that leads elsewhere: the
// store's own calls then go to another server, while the old one may still answer a PING on
// the connection that it has, or believe that it is the master.
func (h *hearing) sameServer(ctx context.Context, c *redis.Client) func(context.Context) error {
	var err error
	h.runID, err = runID(ctx, c)
	return func(ctx context.Context) error {
		now, errNow := runID(ctx, c)
		if err = errors.Join(err, errNow); err == nil && now != h.runID {
			err = errMoved
		}
		return err
	}
}

var errMoved = errors.New("the master has changed")

// runID returns what tells a server, and each of its starts, from all others.
func runID(ctx context.Context, c redis.Cmdable) (string, error) {
	info, err := c.Info(ctx, "server").Result()
	id := parseInfo(info)["run_id"]
	if err == nil && id == "" {
		err = fmt.Errorf("the server, or a proxy in front of it, does not say its run_id in INFO: %w", core.ErrUnsupported)
	}
	return id, err
}

// sameMasters is for Cluster: a master that joins, or takes over, is not listened to.
func (h *hearing) sameMasters(c *redis.ClusterClient, masters map[string]bool) func(context.Context) error {
	return func(ctx context.Context) error {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			ids, err := mastersKnownTo(ctx, node)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if !masters[id] {
					return errors.New("the masters of the cluster have changed")
				}
			}
			return nil
		})
	}
}

// mastersKnownTo returns the IDs of the masters with slots, as a node of the cluster knows
// them. One whose slots move knows so first, and is one of these.
func mastersKnownTo(ctx context.Context, node *redis.Client) (ids []string, err error) {
	slots, err := node.ClusterSlots(ctx).Result()
	for _, s := range slots {
		if len(s.Nodes) > 0 && !slices.Contains(ids, s.Nodes[0].ID) {
			ids = append(ids, s.Nodes[0].ID)
		}
	}
	return ids, err
}

// check asks in each interval whether the servers are the same. What it returns for nil
// counts like a connection's answer.
func (h *hearing) check(ctx context.Context, same func(context.Context) error) error {
	for {
		before := time.Now()
		asked, cancel := context.WithTimeout(ctx, pingTimeout)
		err := same(asked)
		cancel()
		if err != nil {
			return err
		}
		h.tell(len(h.told)-1, before)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(h.interval):
		}
	}
}

// tell notes that a connection has told all changes before t.
func (h *hearing) tell(i int, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told[i] = t
	oldest := slices.MinFunc(h.told, time.Time.Compare)
	if h.over || oldest.IsZero() {
		return
	}
	if !h.begun { // what was read before is older than some connection
		h.begun = true
		h.changed(core.ID{})
	}
	h.alive(oldest)
}

// report tells of changed keys.
func (h *hearing) report(keys ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		name, ok := strings.CutPrefix(key, h.store.config.Prefix)
		if id, err := core.ParseID(name); ok && err == nil && h.begun && !h.over {
			h.changed(id)
		}
	}
}

// all tells that anything may have changed.
func (h *hearing) all() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun && !h.over {
		h.changed(core.ID{})
	}
}

// hear listens to one server.
func (h *hearing) hear(ctx context.Context, i int, o *redis.Options) error {
	client := redis.NewClient(h.tracking(*o))
	defer func() { _ = client.Close() }()
	sub := client.Subscribe(ctx)
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
	defer func() { _ = sub.Close() }()
	if err := sub.Subscribe(ctx, invalidated); err != nil {
		return refused(err)
	}
	c := &conversation{hearing: h, sub: sub, number: i}
	defer c.stop()
	for {
		m, err := sub.ReceiveTimeout(ctx, pingTimeout)
		switch {
		case err != nil && c.listens && strings.Contains(err.Error(), "unsupported pubsub message payload: <nil>"):
			h.all() // FLUSHDB and FLUSHALL
			return errors.New("everything was deleted")
		case err != nil && !c.listens:
			return refused(err)
		case err != nil: // go-redis would connect again, and say nothing of what it has missed
			return err
		}
		if err := c.received(ctx, m); err != nil {
			return err
		}
	}
}

// tracking returns the options of a connection on which the server reports changed keys.
func (h *hearing) tracking(o redis.Options) *redis.Options {
	before := o.OnConnect
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		if h.runID != "" {
			if id, err := runID(ctx, conn); err != nil || id != h.runID {
				return errors.Join(err, errMoved)
			}
		}
		id, err := conn.ClientID(ctx).Result()
		if err != nil {
			return err
		}
		return conn.Do(ctx, "client", "tracking", "on", "redirect", id, "bcast", "prefix", h.store.config.Prefix).Err()
	}
	o.Protocol = 2 // with 3, go-redis would look at reports only when a command is sent
	o.PoolSize, o.MinIdleConns, o.MaxRetries = 1, 0, -1
	return &o
}

// refused recognises the errors of servers that do not report changes.
func refused(err error) error {
	text := strings.ToLower(err.Error())
	if isAnswer(err) && !strings.Contains(text, "noperm") && (strings.Contains(text, "unknown") || strings.Contains(text, "tracking") || strings.Contains(text, "not allowed")) {
		return fmt.Errorf("the server, or a proxy in front of it, does not report changes (CLIENT TRACKING): %w: %w", core.ErrUnsupported, err)
	}
	return err
}

// permitted recognises the errors of servers that do not let this user see changes. They come
// with any of the commands.
func permitted(err error) error {
	if strings.Contains(err.Error(), "NOPERM") {
		return fmt.Errorf("the user may not see changes: give it the ACL rules +info +client|id +client|tracking +subscribe +ping &%s: %w: %w", invalidated, core.ErrUnsupported, err)
	}
	return err
}

// conversation is PINGs and what else comes on one connection.
//
// Redis collects the changes of a turn of its event loop and reports them at the end of
// it. A PING that is executed after a change in the same turn is answered before that
// change is reported. But a PING that is sent after that answer falls into a later
// turn, and so its own answer comes after the report. PINGs therefore come in pairs: the
// answer to the second one shows that all is told from before the first.
type conversation struct {
	*hearing
	sub     *redis.PubSub
	number  int
	listens bool

	mu     sync.Mutex
	first  time.Time // when the first PING of the pair was sent
	second bool      // the second one is out
	next   *time.Timer
}

// received takes what has come. It returns an error if something may have been missed.
func (c *conversation) received(ctx context.Context, message any) error {
	switch m := message.(type) {
	case *redis.Subscription:
		if c.listens {
			return errors.New("go-redis has connected again")
		}
		c.listens = true
		return c.begin(ctx)
	case *redis.Message:
		c.report(m.Payload)
		c.report(m.PayloadSlice...)
	case *redis.Pong:
		return c.answered(ctx)
	}
	return nil
}

// begin sends the first PING of a pair.
func (c *conversation) begin(ctx context.Context) error {
	c.mu.Lock()
	c.first, c.second = time.Now(), false
	c.mu.Unlock()
	return c.sub.Ping(ctx)
}

// answered goes on after an answer.
func (c *conversation) answered(ctx context.Context) error {
	c.mu.Lock()
	first, second := c.first, c.second
	c.second = true
	if second {
		c.next = time.AfterFunc(c.interval, func() {
			if c.begin(ctx) != nil {
				_ = c.sub.Close() // which ends Receive
			}
		})
	}
	c.mu.Unlock()
	if !second {
		return c.sub.Ping(ctx)
	}
	c.tell(c.number, first)
	return nil
}

func (c *conversation) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		c.next.Stop()
	}
}

var _ core.Invalidator = (*Store)(nil)
