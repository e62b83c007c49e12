package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// outcome is what the client knows of an operation.
type outcome int

const (
	acknowledged outcome = iota
	unknown              // the answer was lost, or says that the store did not answer: it may have taken effect
	refused              // it cannot have taken effect: nobody took the connection
)

func (o outcome) String() string { return [...]string{"ok", "unknown", "refused"}[o] }

// never is later than every operation.
const never = int64(1) << 62

// Op is an operation of a tab.
type Op struct {
	Kind       string // the probe's route
	Key, Arg   string
	Begin, End int64 // nanoseconds from the start of the run
	Outcome    outcome
	Status     int // of the answer, 0 for none

	// What an acknowledged operation has answered.
	Found    bool
	Value    string
	Count    int
	User, ID string
	Flashes  []string
	Cookie   string // what became of the session's cookie: "", "deleted" or "set"
	Token    string // that it has set
	Lasting  bool   // whether that outlives the browser
	Careless string // what is wrong with the way it was set
	Mixed    string // a flash that came as another kind
	Late     bool   // sent with a token from before the session's end
}

func (o Op) String() string {
	d := func(n int64) time.Duration { return time.Duration(n).Round(time.Microsecond) }
	return fmt.Sprintf("%v–%v %s %s %s: %v %d found=%v value=%q count=%d user=%q flashes=%v cookie=%s late=%v",
		d(o.Begin), d(o.End), o.Kind, o.Key, o.Arg, o.Outcome, o.Status, o.Found, o.Value, o.Count, o.User, o.Flashes, o.Cookie, o.Late)
}

// Session is the history of one session, from its login to its end.
type Session struct {
	Tag, User, ID string
	Begin         int64  // of its login
	Window        int64  // how old the answer to a GET may be
	losses        []span // when the store may have forgotten what it had acknowledged

	mu  sync.Mutex
	ops []Op
	// EndBegin and EndAcked are when the first try to end it began, and when one was acknowledged.
	EndBegin, EndAcked int64
	Abandoned          bool // the client does not have its token: the answer to a renewal was lost
	Drained            bool // its flashes were read after the last was added
	visit              bool // a [visitor] has judged it
	broken             []Violation
	gaps               []span // when it may have expired, though it had not
	expiry             int64  // from when on it may have expired
}

func newSession(tag, user string) *Session {
	return &Session{Tag: tag, User: user, EndBegin: never, EndAcked: never}
}

func (s *Session) add(o Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, o)
}

// broke records a promise that who acts has seen broken.
func (s *Session) broke(at int64, rule, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, s.violation(rule, s.Begin, at, format, args...))
}

func (s *Session) violation(rule string, since, at int64, format string, args ...any) Violation {
	text := fmt.Sprintf("session %s of %s: ", s.Tag, s.User) + fmt.Sprintf(format, args...)
	return Violation{Rule: rule, Text: text, since: since, at: at}
}

// Violation is a broken promise.
type Violation struct {
	Rule, Text string
	Lossy      bool  // the store's own durability explains it
	since, at  int64 // when what must hold was begun, and when an answer showed that it does not
}

// losable are the rules that are broken when a store forgets what it has acknowledged. No
// loss explains another's data, or that a session lives for too long.
var losable = []string{
	"values", "flash lost", "flash twice", "logged out", "logout wins", "old token", "list",
	"logout", // whose session is not there is sent no deletion (L4)
	"left in the store",
	// A visit says so too if its session is gone, or as it was before:
	"flashes", "rolled back", "deleted", "revoked", "one renewal wins", "late", "remember", "login keeps",
}

// explained reports whether a loss explains a violation: it is no older than what was lost,
// and was seen after the loss began. A session that had ended long before was not concerned.
func (s *Session) explained(v Violation) bool {
	return slices.Contains(losable, v.Rule) && slices.ContainsFunc(s.losses, func(t span) bool {
		return t.begin < t.end && v.since < t.end && v.at > t.begin && s.EndAcked > t.begin-int64(lag)
	})
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// Judge returns the promises that the session's history breaks. An error means that it
// cannot tell, and is never a pass.
func (s *Session) Judge() (found []Violation, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.ops, func(a, b Op) int { return int(a.Begin - b.Begin) })
	say := func(rule string, since, at int64, format string, args ...any) {
		found = append(found, s.violation(rule, since, at, format, args...))
	}
	found = append(found, s.broken...)
	s.shorten()
	for _, o := range s.ops {
		if o.Outcome == acknowledged {
			s.one(o, func(rule, format string, args ...any) { say(rule, s.Begin, o.End, format, args...) })
		}
	}
	if !s.visit {
		s.flashes(s.forgotten(found), say)
		err = s.ordered(say)
	}
	for i, v := range found {
		found[i].Lossy = s.explained(v)
	}
	return found, err
}

// ordered judges the values. What has happened before a loss must be in order by itself.
func (s *Session) ordered(say saying) error {
	bad, err := s.values(s.EndBegin)
	at, first := never, s.EndBegin
	for _, t := range s.losses {
		if t.end > s.Begin { // others were over before
			first = min(first, t.begin)
		}
	}
	if len(bad) > 0 && first < s.EndBegin {
		before, e := s.values(first)
		if err = errors.Join(err, e); len(before) > 0 {
			bad, at = before, first
		}
	}
	for _, text := range bad {
		say("values", s.Begin, at, "no order explains\n%s", text)
	}
	return err
}

// saying notes a violation: see [Violation] for since and at.
type saying func(rule string, since, at int64, format string, args ...any)

// shorten leaves what a session does near the end of its lifetime without a verdict, or
// after it was perhaps unused for too long, because no answer came.
func (s *Session) shorten() {
	gaps := s.unused()
	s.gaps, s.expiry = gaps[:len(gaps)-1], gaps[len(gaps)-1].begin
	end := min(s.Begin+int64(lifetime()-margin), s.expiry)
	if end >= s.EndBegin || s.visit || len(s.ops) == 0 {
		return
	}
	s.EndBegin = end
	s.Drained = s.Drained && s.ops[len(s.ops)-1].End < end
}

// unused is when the session may have expired: from half an idle timeout after it was used
// last, until an answer shows that it lives. The last such time has no end. The operations
// are in order, and s.mu is held.
func (s *Session) unused() (gaps []span) {
	used := s.Begin + int64(idle/2)
	for _, o := range s.ops {
		if o.Outcome != acknowledged || o.Late {
			continue
		}
		if o.End > used {
			if o.Kind != "get" || o.User != s.User || o.ID != s.ID {
				continue
			}
			gaps = append(gaps, span{used, o.Begin})
		}
		used = o.Begin + int64(idle/2)
	}
	return append(gaps, span{used, never})
}

// doubtful reports whether the session may have expired when it was asked.
func (s *Session) doubtful(o Op) bool {
	return slices.ContainsFunc(s.gaps, func(t span) bool { return o.End > t.begin && o.Begin < t.end })
}

// one judges what can be said of an answer alone.
func (s *Session) one(o Op, say func(rule, format string, args ...any)) {
	alive := o.End < s.EndBegin && !s.doubtful(o)
	for _, text := range append(slices.Clone(o.Flashes), o.Value) {
		if text != "" && !strings.HasPrefix(text, s.Tag+" ") {
			say("another's data", "%v", o)
		}
	}
	if o.Mixed != "" {
		say("flash of another kind", "%s: %v", o.Mixed, o)
	}
	if o.Careless != "" {
		say("cookie", "%s: %v", o.Careless, o)
	}
	if s.visit {
		return
	}
	if o.Kind == "get" && o.User != "" && o.User != s.User {
		say("another's data", "%v", o)
	}
	if o.Begin > s.EndAcked+s.Window && o.Kind == "get" && (o.User != "" || o.Found) {
		say("logout wins", "acknowledged at %v, then %v", time.Duration(s.EndAcked), o)
	}
	if o.Late && alive && (o.User != "" || o.Found) {
		say("old token", "good after a renewal or a login: %v", o)
	}
	if o.Kind == "logout" && o.Late && o.Cookie != "deleted" && !s.tried(o) && o.End < s.expiry {
		say("logout", "the client keeps its cookie: %v", o)
	}
	if o.Late || !alive {
		return
	}
	if renews := o.Kind == "renew" || o.Kind == "login"; renews && o.Cookie != "set" {
		say("old token", "not replaced: %v", o)
	}
	if o.Kind == "get" && (o.User == "" || o.ID != s.ID) {
		say("logged out", "%v", o)
	}
	if o.Cookie != "" && o.Kind != "renew" && o.Kind != "login" {
		say("logged out", "the cookie was %s: %v", o.Cookie, o)
	}
}

// tried reports whether an operation before o may have ended the session.
func (s *Session) tried(o Op) bool {
	return slices.ContainsFunc(s.ops, func(before Op) bool { return before.Kind == "logout" && before.Begin < o.Begin })
}

// forgotten is when an answer showed that a loss has taken the session itself. From then on
// each tab may be in a new session of its own, of which the browser keeps the last.
func (s *Session) forgotten(found []Violation) int64 {
	at := never
	for _, v := range found {
		if v.Rule == "logged out" && s.explained(v) {
			at = min(at, v.at)
		}
	}
	return at
}

// flashes: what was acknowledged is shown, and once to readers one after the other.
func (s *Session) flashes(forgotten int64, say saying) {
	shown := map[string][]Op{}
	added := map[string]bool{}
	var last int64 // when the reader was done
	for _, o := range s.ops {
		added[o.Arg] = added[o.Arg] || o.Kind == "flash"
		if o.Kind == "flashes" && !o.Late {
			last = max(last, o.End)
		}
		for _, text := range o.Flashes {
			for _, before := range shown[text] {
				if before.End < o.Begin-s.Window {
					say("flash twice", before.Begin, o.End, "%q in %v and in %v", text, before, o)
					break
				}
			}
			shown[text] = append(shown[text], o)
		}
	}
	for text := range shown {
		if !added[text] {
			say("unknown flash", s.Begin, last, "%q was never added", text)
		}
	}
	if !s.Drained || s.Abandoned {
		return
	}
	for _, add := range s.ops {
		if add.Kind != "flash" || add.Late || add.Outcome != acknowledged || s.doubtful(add) || len(shown[add.Arg]) > 0 {
			continue
		}
		taken := never // from when on a reader may have it whose answer was lost
		for _, o := range s.ops {
			if o.Kind == "flashes" && o.Outcome == unknown && o.End > add.Begin {
				taken = min(taken, o.Begin)
			}
		}
		passed := func(o Op) bool { // a reader that had to be shown it
			return o.Kind == "flashes" && o.Outcome == acknowledged && !o.Late && o.Begin > add.End+s.Window && o.End < taken
		}
		if taken == never || slices.ContainsFunc(s.ops, passed) {
			since := add.Begin
			if add.End >= forgotten {
				since = s.Begin
			}
			say("flash lost", since, last, "%v", add)
		}
	}
}
