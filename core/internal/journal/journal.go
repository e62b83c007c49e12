// Package journal joins a store in memory to a log of its changes. Both speak
// [Journal]: the store tells a log, and a log that is read tells the store.
package journal

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

// Journal is told of the changes to a store. Changes to one session come in their
// order, and so do those to one user's index: they are told while the store holds
// their locks. So a Journal neither waits nor calls the store.
//
// What it is told twice, or of a state that it has already passed, does no harm if
// all that came later is told again too: every call says what is, not what changed.
type Journal interface {
	// Put says that the entry of id is e, at e.Version. It must not keep e.Data.
	Put(id core.ID, e core.Entry)

	// Touch says when the entry expires if it is still at v.
	Touch(id core.ID, v core.Version, expires time.Time)

	// Delete says that the entry is gone because somebody wanted that.
	Delete(id core.ID)

	// Expire says that the entry was removed because it had expired, or to make room.
	Expire(id core.ID)

	// DeleteAll says that there are no entries, members and marks.
	DeleteAll()

	// Member says that id is a confirmed member of user. A member with a lower tick
	// was entered earlier; one that was mended has tick zero.
	Member(user string, id core.ID, tick uint64)

	// Release says that id is no member of user. It is not told of members that no
	// longer count because of their entry.
	Release(user string, id core.ID)

	// Mark says that user's index is marked as incomplete until then, or no longer
	// if tick is zero.
	Mark(user string, tick uint64, until time.Time)
}

// Memory is the other side of a store that has a Journal. As a Journal it makes the
// store what a log says, whatever its bounds.
type Memory interface {
	Journal

	// Attach starts the store: from now on it tells j.
	Attach(j Journal)

	// Each tells j of all entries, members and marks. It holds no lock meanwhile, so
	// it may tell of changes that were told before, or only are told later.
	Each(j Journal)

	// Raise makes every later tick and version greater than least. It returns the
	// last one that was given.
	Raise(least uint64) uint64

	// Size returns about how many bytes a log of what Each tells has, at least.
	Size() int64
}

// None is a Journal that nobody reads.
type None struct{}

// Put implements [Journal], as do the other methods.
func (None) Put(core.ID, core.Entry) {}

// Touch does nothing.
func (None) Touch(core.ID, core.Version, time.Time) {}

// Delete does nothing.
func (None) Delete(core.ID) {}

// Expire does nothing.
func (None) Expire(core.ID) {}

// DeleteAll does nothing.
func (None) DeleteAll() {}

// Member does nothing.
func (None) Member(string, core.ID, uint64) {}

// Release does nothing.
func (None) Release(string, core.ID) {}

// Mark does nothing.
func (None) Mark(string, uint64, time.Time) {}
