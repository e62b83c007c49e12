package chaos

import (
	"fmt"
	"net/url"
	"time"
)

// visitor does one thing after the other in a session of its own, so that it knows what each
// answer must be. One answer that is lost ends the visit, without a verdict.
type visitor struct {
	*browser
	lost bool
	used int64 // when the session was used last
}

// newVisitor is a visitor whose user is tag.
func (l *Load) newVisitor(tag string) *visitor {
	s := newSession(tag, tag)
	s.visit, s.Begin = true, l.now()
	used := s.Begin
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions = append(l.sessions, s)
	return &visitor{browser: &browser{load: l, user: tag, jar: newJar(), session: s}, used: used}
}

// ask sends a request, unless an answer was lost before. On a busy machine the session may
// have expired: then the answer is as good as lost.
func (v *visitor) ask(a ask) Op {
	if v.lost {
		return Op{}
	}
	if reads(a.kind) && !v.load.own {
		time.Sleep(v.load.window) // the answer may be as old as that
	}
	op := v.send(a)
	v.lost = op.Outcome != acknowledged && a.status != whatever || op.End > v.used+int64(idle/2)
	if a.token == "" && a.header[0] != "Cookie" {
		v.used = op.Begin
	}
	return op
}

func (v *visitor) want(ok bool, promise, format string, args ...any) {
	if !v.lost && !ok {
		v.broke(promise, format, args...)
	}
}

func (v *visitor) login() Op {
	v.used = v.load.now()
	op := v.ask(ask{kind: "login", form: url.Values{"user": {v.user}}})
	v.session.ID = op.ID
	v.want(op.Token != "", "old token", "a login sets no cookie: %v", op)
	return op
}

func (v *visitor) set(value string) {
	v.ask(ask{kind: "set", key: "k", form: url.Values{"value": {value}}})
}

// get reads the value with the jar's token or another.
func (v *visitor) get(token string) Op {
	return v.ask(ask{kind: "get", key: "k", token: token})
}

// text returns a text that no other session has.
func (v *visitor) text() string { return fmt.Sprintf("%s %d", v.session.Tag, v.seq.Add(1)) }

func (v *visitor) flash(kind string) string {
	text := v.text() + " " + kind
	v.ask(ask{kind: "flash", form: url.Values{"kind": {kind}, "text": {text}}})
	return text
}

// dead wants a token to open nothing, once no copy does.
func (v *visitor) dead(promise, token, why string) {
	time.Sleep(v.load.window)
	v.opensNothing(promise, token, why)
}

func (v *visitor) opensNothing(promise, token, why string) {
	op := v.get(token)
	v.want(op.User == "" && !op.Found, promise, "%s: %v", why, op)
}

// alive wants the jar's token to open the visitor's session.
func (v *visitor) alive(promise, why string) {
	op := v.get("")
	v.want(op.User == v.user, promise, "%s: %v", why, op)
}

// forget ends a remembered session, lest it stay in the store for weeks.
func (v *visitor) forget() {
	lost := v.lost
	v.until(ask{kind: "revoke-user", form: url.Values{"user": {v.user}}})
	v.lost = lost
}

// margin is how far the referee's and the probe's time of an answer are apart.
const margin = time.Second

// until sends a request until it has an answer, while others see to it that faults end.
func (v *visitor) until(a ask) Op {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if op := v.send(a); op.Outcome == acknowledged || time.Now().After(deadline) {
			v.lost = v.lost || op.Outcome != acknowledged
			return op
		}
	}
}

func getK() ask { return ask{kind: "get", key: "k"} }
