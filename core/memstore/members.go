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
	tick      uint64 // when it was last reserved, in the order of Store.ticks; zero if it was mended
	lapses    int64  // when the open reservation lapses, in Unix milliseconds; zero if there is none
	confirmed bool   // it counts for as long as its session lives

	prev, next *member // in order of entry
}

// userShard is one part of the user index. Members are found by key and linked
// in order for each user. Every step is cheap, even for a user with very many.
type userShard struct {
	mu      sync.Mutex
	members map[memberKey]*member
	lists   map[string]*memberList
	marks   map[string]mark // by user
}

// mark says that Mend has put back a member, so others may be missing.
type mark struct {
	tick  uint64    // when it was set, in the order of Store.ticks
	until time.Time // it lasts until then, and while there are members
}

// memberKey names a member. One session may be in two users' lists while it
// changes hands.
type memberKey struct {
	user string
	id   core.ID
}

// memberList holds both ends of one user's list of members. It is never empty:
// removing the last member removes the list.
type memberList struct {
	first, last *member
	n           int
}

// userShardOf returns the shard of the index that user is in.
func (s *Store) userShardOf(user string) *userShard {
	return &s.users[maphash.String(s.seed, user)%shardCount]
}

// reset empties the shard.
func (us *userShard) reset() {
	us.members = make(map[memberKey]*member)
	us.lists = make(map[string]*memberList)
	us.marks = make(map[string]mark)
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

// len returns how many members user has, whether or not they count.
func (us *userShard) len(user string) int {
	if list := us.lists[user]; list != nil {
		return list.n
	}
	return 0
}

// append enters m as user's newest member.
func (us *userShard) append(user string, m *member) {
	us.members[memberKey{user, m.id}] = m
	list := us.lists[user]
	if list == nil {
		us.lists[user] = &memberList{first: m, last: m, n: 1}
		return
	}
	list.n++
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
	list.n--
	if list.first == nil {
		delete(us.lists, user)
	}
}
