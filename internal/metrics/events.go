package metrics

import (
	"context"
	"errors"
	"slices"

	"github.com/satchel-go/satchel/core"
)

// Occasion is a kind of event with one of its reasons: one series of the counter.
type Occasion struct {
	Kind   core.EventKind
	Reason core.Reason // "" if it has none
}

// reasons are the kinds of events that are counted, each with its reasons. EventFinished
// is not: it would count requests once more.
var reasons = map[core.EventKind][]core.Reason{
	core.EventAbsent: {core.ReasonNoCookie, core.ReasonPlainHTTP},
	core.EventRejected: {
		core.ReasonMalformed, core.ReasonDuplicate, core.ReasonUnknown, core.ReasonExpired, core.ReasonSuperseded,
		core.ReasonNotBefore, core.ReasonCorrupt, core.ReasonNewer, core.ReasonCheck,
	},
	core.EventRevoked:       {"", core.ReasonLimit, core.ReasonCheck},
	core.EventDropped:       {core.ReasonSuperseded, core.ReasonReadOnly, core.ReasonEnded, core.ReasonExpired},
	core.EventTooLate:       {core.ReasonNoCookie, core.ReasonAfterwards, core.ReasonReadOnly, core.ReasonLateFlash, core.ReasonLogoutLate},
	core.EventLoaded:        nil,
	core.EventCreated:       nil,
	core.EventSaved:         nil,
	core.EventTouched:       nil,
	core.EventRenewed:       nil,
	core.EventLogin:         nil,
	core.EventLogout:        nil,
	core.EventConflict:      nil,
	core.EventRolledBack:    nil,
	core.EventFlashDropped:  nil,
	core.EventFailed:        nil,
	core.EventUnavailable:   nil,
	core.EventAway:          nil,
	core.EventBack:          nil,
	core.EventAborted:       nil,
	core.EventMoved:         nil,
	core.EventInsecure:      nil,
	core.EventCookieClash:   nil,
	core.EventMisconfigured: nil,
	core.EventDuplicates:    nil,
	core.EventLargeCookie:   nil,
	core.EventSweepLags:     nil,
	core.EventReplaced:      nil,
}

// occasions are all series, and places tells where each is among them.
var occasions, places = arrange()

func arrange() (all []Occasion, places map[Occasion]int) {
	for kind, own := range reasons {
		if own == nil {
			all = append(all, Occasion{Kind: kind})
			continue
		}
		for _, reason := range own {
			all = append(all, Occasion{kind, reason})
		}
		all = append(all, Occasion{kind, Other})
	}
	all = append(all, Occasion{Kind: Other})
	places = make(map[Occasion]int, len(all))
	for i, o := range all {
		places[o] = i
	}
	return all, places
}

// Occasions returns all series of the counter. There are no others, whatever happens.
func Occasions() []Occasion { return slices.Clone(occasions) }

// OccasionAt returns the series at a place.
func OccasionAt(place int) Occasion { return occasions[place] }

// EventOf returns the place of e among the Occasions. An event that is not counted has none.
func EventOf(e *core.Event) (place int, counted bool) {
	if e.Kind == core.EventFinished {
		return 0, false
	}
	if place, ok := places[Occasion{e.Kind, e.Reason}]; ok {
		return place, true
	}
	own, known := reasons[e.Kind]
	switch {
	case !known:
		return places[Occasion{Kind: Other}], true
	case own == nil:
		return places[Occasion{Kind: e.Kind}], true
	}
	return places[Occasion{e.Kind, Other}], true
}

// Alerting reports whether alerts look at o, which is then counted from zero: they
// compare with a time before, and would miss the first one otherwise.
func (o Occasion) Alerting() bool {
	switch o.Kind {
	case core.EventFailed, core.EventUnavailable, core.EventAway, core.EventTooLate:
		return o.Reason != Other
	case core.EventRejected:
		return o.Reason == core.ReasonCorrupt || o.Reason == core.ReasonNewer || o.Reason == core.ReasonUnknown
	}
	return false
}

// Loads are the outcomes of loading a session.
var Loads = []string{"loaded", "rejected", "unavailable", "aborted"}

// LoadOf returns the place among Loads of the load that e tells the end of, if it does,
// and if a backend was asked.
func LoadOf(e *core.Event) (place int, ok bool) {
	if e.Took <= 0 {
		return 0, false
	}
	switch e.Kind {
	case core.EventLoaded:
		return 0, true
	case core.EventRejected:
		return 1, true
	case core.EventUnavailable:
		return 2, e.ID.IsZero() // else a touch failed
	case core.EventAborted:
		return 3, true
	}
	return 0, false
}

// Commits are the outcomes of commits.
var Commits = []string{"saved", "touched", "dropped", "conflict", "failed"}

// CommitOf returns the place among Commits of the commit that e tells the end of, if it
// does. Each commit has one such event; commits that only end a session have none.
func CommitOf(e *core.Event) (place int, ok bool) {
	if e.Took <= 0 {
		return 0, false
	}
	switch e.Kind {
	case core.EventCreated, core.EventSaved, core.EventRenewed, core.EventLogin:
		return 0, true
	case core.EventTouched:
		return 1, true
	case core.EventDropped:
		return 2, true
	case core.EventFailed:
		if errors.Is(e.Err, core.ErrConflict) {
			return 3, true
		}
		return 4, true
	case core.EventUnavailable:
		return 4, !e.ID.IsZero() // else a load failed
	}
	return 0, false
}

// SizeOf returns the size of the session that e tells was stored, if it does.
func SizeOf(e *core.Event) (bytes int, ok bool) {
	switch e.Kind {
	case core.EventCreated, core.EventSaved, core.EventRenewed, core.EventLogin:
		return e.Bytes, e.Bytes > 0
	}
	return 0, false
}

// TypeOf says what kind of error err is, in one of a few words: those of errorTypes.
func TypeOf(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, core.ErrConflict):
		return "conflict"
	case errors.Is(err, core.ErrTooLarge):
		return "too_large"
	case errors.Is(err, core.ErrSessionLimit):
		return "session_limit"
	case errors.Is(err, core.ErrEnded):
		return "ended"
	}
	return Other
}
