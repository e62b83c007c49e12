package memstore

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// member is one session in its user's list. The user shard's lock guards it.
type member struct {
	id        core.ID
	tick      uint64    // when it was reserved last, in the order of Store.ticks
	lapses    time.Time // end of the open reservation, zero if there is none
	confirmed bool
	until     time.Time // if confirmed: the latest end of the session, or zero

	prev, next *member // in the order in which they were entered
}

// userShard is one part of the user index. Members are found by key and, per
// user, linked in order: every step is cheap, also for a user with very many.
type userShard struct {
	mu      sync.Mutex
	members map[memberKey]*member
	lists   map[string]*memberList
}

// memberKey names a member. One session may be in two users' lists while it
// changes hands.
type memberKey struct {
	user string
	id   core.ID
}

// memberList holds both ends of one user's members. It is never empty: the
// last member takes the list with it.
type memberList struct{ first, last *member }

// userShardOf returns the part of the index that user is in.
func (s *Store) userShardOf(user string) *userShard {
	return &s.users[maphash.String(s.seed, user)%shardCount]
}

// reset empties the shard.
func (us *userShard) reset() {
	us.members = make(map[memberKey]*member)
	us.lists = make(map[string]*memberList)
}

// find returns user's member id, or nil.
func (us *userShard) find(user string, id core.ID) *member {
	return us.members[memberKey{user, id}]
}

// first returns the member that user entered first, or nil.
func (us *userShard) first(user string) *member {
	if list := us.lists[user]; list != nil {
		return list.first
	}
	return nil
}

// append enters m as user's newest member.
func (us *userShard) append(user string, m *member) {
	us.members[memberKey{user, m.id}] = m
	list := us.lists[user]
	if list == nil {
		us.lists[user] = &memberList{first: m, last: m}
		return
	}
	m.prev = list.last
	list.last.next = m
	list.last = m
}

// remove takes m out of user's members.
func (us *userShard) remove(user string, m *member) {
	delete(us.members, memberKey{user, m.id})
	list := us.lists[user]
	if m.prev == nil {
		list.first = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next == nil {
		list.last = m.prev
	} else {
		m.next.prev = m.prev
	}
	m.prev, m.next = nil, nil
	if list.first == nil {
		delete(us.lists, user)
	}
}
