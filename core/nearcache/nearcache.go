// Package nearcache answers requests that only read from copies of sessions in this
// process, without a round trip to the store:
//
//	store, err := nearcache.New(goredisstore.New(client, goredisstore.Config{}), nearcache.Config{})
//	defer store.Close()
//	sessions, err := core.New(core.ServerSide(store), core.Config{})
//
// # How old an answer may be
//
// At most [Config.Window], by default a second, whatever happens to the network; usually
// less than a millisecond. The store reports each change ([core.Invalidator]), and again
// and again that it has reported all until a certain time. Copies are served only while
// that time is less than the window ago. When reports stop, so does the cache: each
// request then asks the store, as if there were none.
//
// Only requests with a safe method get a copy, such as GET. All others, and everything that
// is done by ID, ask the store: a revoked session changes nothing from the moment it is
// revoked. See [core.Traits].Window.
//
// # Which stores
//
// Redis, on a single server, in a cluster or with Sentinel; PostgreSQL through pgxstore, if
// its tables have the trigger. [New] says what is missing elsewhere. Stores that cannot
// report changes need [Config.AllowBlind].
//
// A store may be wrapped and unwrapped while sessions live: not a byte in it differs.
package nearcache

import (
	"errors"
	"fmt"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
)

// Config says how a [Store] keeps copies. The zero value works.
type Config struct {
	// Window is how old an answer may be at most; see [core.Traits].Window. From 100
	// milliseconds to a minute, default one second. A shorter one makes the store
	// answer more often that it has reported everything, four times in each window.
	Window time.Duration

	// MaxEntries is how many copies are kept at most. Default 100,000.
	MaxEntries int

	// MaxBytes is the memory that copies take at most, with what it takes to find them.
	// Default 64 MiB. A session that takes more than a part of it, in general a 64th, is
	// not kept.
	MaxBytes int64

	// AllowBlind keeps copies of a store that cannot report changes, or not as it is set
	// up. Each is then served for a Window after it was read, and no longer. The promise
	// is the same. But what others change is seen a window later, not at once, and each
	// session is read again in each window.
	AllowBlind bool

	// Now is the clock by which entries expire. Default that of the Manager's Config.
	Now func() time.Time
}

// Stats counts what a [Store] has done.
type Stats struct {
	Hits          uint64 // answers from a copy
	Misses        uint64 // answers of the store that a copy could have given
	Invalidations uint64 // changes that the store has reported
	LeasesLost    uint64 // times that it stopped reporting for a window, or its connection broke
	Entries       int    // copies now
	Bytes         int64  // memory that they take, about

	// Err is why there are no copies now, if that is so: the store cannot be reached, for
	// example. Nil if there are, or will be once the store has answered.
	Err error
}

const (
	defaultWindow = time.Second
	minWindow     = 100 * time.Millisecond
	maxWindow     = time.Minute

	defaultEntries = 100_000
	defaultBytes   = 64 << 20

	// startTime is how long New waits to learn that a store cannot report changes.
	startTime = 5 * time.Second
)

// New returns a Store that keeps copies of what it loads from store, until it is closed. The
// error says why that cannot work: with a store that is in memory already, one that cannot
// report changes, or a server that does not let its user see them. A server that does not
// answer is no error here, but in [core.New]; until it does, there are no copies.
func New(store core.Store, c Config) (*Store, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if store == nil {
		return nil, errors.New("nearcache: the store is nil: give it one, such as that of goredisstore.New")
	}
	local, ok := core.StoreAs[core.Local](store)
	if _, files := core.StoreAs[*filestore.Store](store); files || ok && local.Local() {
		return nil, errors.New("nearcache: the store is in memory already: use it as it is")
	}
	if _, windowed := core.StoreAs[core.Windowed](store); windowed { // the windows would add up
		return nil, errors.New("nearcache: the store answers from copies already: wrap the one below it, once")
	}
	s := &Store{cache: newCache(c), inner: store, now: time.Now}
	if c.Now != nil {
		s.now = c.Now
	}
	reports, ok := core.StoreAs[core.Invalidator](store)
	var err error
	if ok {
		if err = s.listen(reports); !errors.Is(err, core.ErrUnsupported) {
			return s, nil
		}
		_ = s.Close()
		s.cache = newCache(c)
	} else {
		err = fmt.Errorf("the store cannot report changes: %w", core.ErrUnsupported)
	}
	if !c.AllowBlind {
		return nil, fmt.Errorf("nearcache: %w; with Config.AllowBlind each copy is kept for a window, unseen changes or not", err)
	}
	s.goBlind()
	return s, nil
}

// validate fills in the defaults.
func (c *Config) validate() error {
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = defaultEntries
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultBytes
	}
	switch {
	case c.Window < minWindow || c.Window > maxWindow:
		return fmt.Errorf("nearcache: Config.Window is %v: choose one from %v to %v", c.Window, minWindow, maxWindow)
	case c.MaxEntries < 0 || c.MaxBytes < 0:
		return errors.New("nearcache: Config.MaxEntries or MaxBytes is negative")
	}
	return nil
}
