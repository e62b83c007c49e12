package goredisstore

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// member is one session in a user's index.
type member struct {
	id     core.ID
	text   string // as it is stored
	number int64
	lapses time.Time
	till   int64
}

// over reports whether m has ended by the clock: its reservation lapsed
// unconfirmed, or its time is over.
func (m *member) over(now time.Time) bool {
	if now.Before(m.lapses) || m.till == 0 || m.till == takenOut {
		return false
	}
	return m.till == notConfirmed || m.till <= now.UnixMilli()
}

// markIn returns the mark in the answer of HGETALL, "" if there is none.
func markIn(flat []string) string {
	for i := 0; i+1 < len(flat); i += 2 {
		if flat[i] == markMember {
			return flat[i+1]
		}
	}
	return ""
}

// parseMembers reads the answer of HGETALL. It leaves out anything that is not a
// member.
func parseMembers(flat []string) []member {
	members := make([]member, 0, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		id, err := core.ParseID(flat[i])
		if err != nil {
			continue // the counter, or the mark
		}
		m := member{id: id, text: flat[i+1]}
		var bad [3]error
		number, rest, _ := strings.Cut(m.text, " ")
		lapses, till, _ := strings.Cut(rest, " ")
		m.number, bad[0] = strconv.ParseInt(number, 10, 64)
		ms, err := strconv.ParseInt(lapses, 10, 64)
		m.lapses, bad[1] = time.UnixMilli(ms), err
		m.till, bad[2] = strconv.ParseInt(till, 10, 64)
		if errors.Join(bad[:]...) == nil {
			members = append(members, m)
		}
	}
	return members
}
