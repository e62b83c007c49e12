package chaos

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// visit is what a visitor does.
type visit struct {
	name  string
	users bool // it needs an index of users
	long  bool // it waits for the end of the session
	run   func(*visitor)
}

var visits = []visit{
	{name: "flashes", run: (*visitor).flashes},
	{name: "many flashes", run: (*visitor).manyFlashes},
	{name: "values", run: (*visitor).changes},
	{name: "logout", run: (*visitor).logout},
	{name: "anonymous", run: (*visitor).anonymous},
	{name: "another user", run: (*visitor).anotherUser},
	{name: "renewals at once", run: (*visitor).renewals},
	{name: "logout across a renewal", run: (*visitor).crossing},
	{name: "forged tokens", run: (*visitor).forged},
	{name: "remember", users: true, run: (*visitor).remember},
	{name: "revocations", users: true, run: (*visitor).revocations},
	{name: "idle", long: true, run: (*visitor).idle},
	{name: "remembered", users: true, long: true, run: (*visitor).remembered},
	{name: "in use", long: true, run: (*visitor).inUse},
}

// visit makes the visits again and again until ctx is over, and waits for the last.
func (l *Load) visit(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	var all sync.WaitGroup
	for n := range 3 { // so that faults leave one in peace
		var short []visit
		for _, v := range visits {
			switch {
			case v.users && l.noUsers:
			case v.long:
				all.Go(func() {
					for n := n; ctx.Err() == nil && (n < 3 || time.Until(deadline) > lifetime()/2); n += 3 {
						l.once(v, n)
					}
				})
			default:
				short = append(short, v)
			}
		}
		all.Go(func() {
			for n := n; ctx.Err() == nil; n += 3 {
				for _, i := range mathrand.Perm(len(short)) {
					if ctx.Err() == nil {
						l.once(short[i], n)
					}
				}
			}
		})
	}
	all.Wait()
}

// once makes a visit, and counts it if it came to its end.
func (l *Load) once(what visit, n int) {
	v := l.newVisitor(fmt.Sprintf("%s.%d", strings.ReplaceAll(what.name, " ", "-"), n))
	v.login()
	what.run(v)
	l.mu.Lock()
	v.session.EndAcked = l.now()
	if v.lost {
		l.voids[what.name]++
	} else {
		l.visits[what.name]++
	}
	l.mu.Unlock()
	l.settle(v.session)
}

// flashes: only a page that people see takes a flash (F1), one kind or all, in order (F4).
func (v *visitor) flashes() {
	a, b := v.flash("info"), v.flash("warning")
	read := func(query string, a ask) Op {
		a.kind = "flashes"
		a.form, _ = url.ParseQuery(query)
		return v.ask(a)
	}
	for _, name := range [][2]string{{"Sec-Purpose", "prefetch;prerender"}, {"X-Moz", "prefetch"}, {"Hx-Preloaded", "true"}, {"Purpose", "preview, prefetch"}} {
		op := read("", ask{header: name})
		v.want(len(op.Flashes) == 0, "flashes", "a page that is fetched in advance shows %v", op)
	}
	read("", ask{method: http.MethodHead, status: whatever}) // some frameworks have no such route
	read("", ask{header: [2]string{"Sec-Fetch-Dest", "image"}})
	read("to=/page", ask{status: http.StatusSeeOther})
	read("status=500", ask{status: http.StatusInternalServerError})
	read("status=204", ask{})
	for _, query := range []string{"peek=1", "keep=1", "peek=1&kind=info"} {
		want := []string{a, b}
		if strings.Contains(query, "kind") {
			want = want[:1]
		}
		op := read(query, ask{})
		v.want(slices.Equal(op.Flashes, want), "flashes", "want %q from %s: %v", want, query, op)
	}
	c := v.flash("info")
	for _, then := range []struct {
		query string
		want  []string
	}{{"kind=warning", []string{b}}, {"kind=info&status=499", []string{a, c}}, {"", nil}} {
		op := read(then.query, ask{status: 499})
		v.want(slices.Equal(op.Flashes, then.want), "flashes", "want %q, from %q: %v", then.want, then.query, op)
	}
}

// maxFlashes is how many unread flashes the probe keeps: the default of core.Config.
const maxFlashes = 32

// manyFlashes: the oldest make room (F5).
func (v *visitor) manyFlashes() {
	var all []string
	for range maxFlashes + 2 {
		all = append(all, v.flash("info"))
	}
	op := v.ask(ask{kind: "flashes"})
	v.want(slices.Equal(op.Flashes, all[2:]), "flashes", "want the %d newest of %d: %v", maxFlashes, len(all), op)
}

// changes: what failed has changed nothing (C4), what was deleted is gone.
func (v *visitor) changes() {
	kept := v.text()
	v.set(kept)
	v.ask(ask{kind: "set", key: "k", form: url.Values{"value": {v.text()}, "status": {"500"}}, status: http.StatusInternalServerError})
	op := v.get("")
	v.want(op.Value == kept, "rolled back", "want %q after an answer of 500: %v", kept, op)
	v.ask(ask{kind: "panic", key: "k", form: url.Values{"value": {v.text()}}, status: whatever})
	op = v.get("")
	v.want(op.Value == kept, "rolled back", "want %q after a panic: %v", kept, op)
	v.ask(ask{kind: "delete", key: "k"})
	op = v.get("")
	v.want(!op.Found && op.User == v.user, "deleted", "%v", op)
	v.set(kept)
	v.ask(ask{kind: "clear"})
	op = v.get("")
	v.want(!op.Found && op.User == v.user, "deleted", "%v", op)
}

// logout: the client forgets its token, a new session has the last flash, and nothing else (I3).
func (v *visitor) logout() {
	v.set(v.text())
	old := v.token()
	op := v.ask(ask{kind: "logout"})
	v.want(op.Cookie == "deleted", "logout", "the client keeps its cookie: %v", op)
	v.dead("logout wins", old, "after the logout")

	v.login()
	v.set(v.text())
	old, bye := v.token(), v.text()+" info"
	a := ask{kind: "logout", form: url.Values{"flash": {bye}}}
	if mathrand.IntN(2) == 0 {
		a.header = [2]string{"Sec-Purpose", "prefetch"} // the page is not shown, but it adds a flash
	}
	op = v.ask(a)
	v.want(op.Cookie == "set", "logout", "no session for the flash: %v", op)
	v.dead("logout wins", old, "after the logout")
	v.dead("logout", "", "values after the logout")
	op = v.ask(ask{kind: "flashes"})
	v.want(slices.Equal(op.Flashes, []string{bye}), "flashes", "want %q after the logout: %v", bye, op)
}

// anonymous: a login keeps what the visitor has done before (I1).
func (v *visitor) anonymous() {
	v.ask(ask{kind: "logout"})
	text := v.text()
	v.set(text)
	flash, old := v.flash("info"), v.token()
	v.login()
	op := v.get("")
	v.want(op.User == v.user && op.Value == text, "login keeps", "want %q: %v", text, op)
	op = v.ask(ask{kind: "flashes"})
	v.want(slices.Equal(op.Flashes, []string{flash}), "login keeps", "want %q: %v", flash, op)
	v.dead("old token", old, "after a login")
}

// anotherUser: a login over another user's session takes nothing along (I1).
func (v *visitor) anotherUser() {
	v.set(v.text())
	v.flash("info")
	old := v.token()
	op := v.ask(ask{kind: "login", form: url.Values{"user": {v.user + "-2"}}})
	v.want(op.Token != "" && op.Token != old, "old token", "not replaced: %v", op)
	v.dead("old token", old, "after another user's login")
	op = v.get("")
	v.want(op.User == v.user+"-2", "logged out", "after another user's login: %v", op)
	v.want(!op.Found, "another's data", "after another user's login: %v", op)
	op = v.ask(ask{kind: "flashes"})
	v.want(len(op.Flashes) == 0, "another's data", "after another user's login: %v", op)
}

// renewals: of two at once one wins, and what comes late sets no cookie (K3, L4).
func (v *visitor) renewals() {
	old := v.token()
	ops := make([]Op, 2)
	var wg sync.WaitGroup
	for i := range ops {
		wg.Go(func() { ops[i] = v.send(ask{kind: "renew", token: old, status: http.StatusConflict}) })
	}
	wg.Wait()
	at, _ := url.Parse(v.load.urls[0])
	v.jar.SetCookies(at, []*http.Cookie{{Name: cookieName, Value: ops[0].Token + ops[1].Token}})
	v.lost = v.lost || ops[0].Outcome != acknowledged || ops[1].Outcome != acknowledged
	v.want((ops[0].Cookie == "set") != (ops[1].Cookie == "set"), "one renewal wins", "%v and %v", ops[0], ops[1])
	late := v.ask(ask{kind: "set", key: "k", form: url.Values{"value": {v.text()}}, token: old})
	v.want(late.Cookie == "", "late", "a request with the old token gets a cookie: %v", late)
	v.alive("logged out", "after two renewals at once")
	v.dead("old token", old, "after two renewals at once")
}

// crossing: a logout that crosses a renewal ends the session (I1).
func (v *visitor) crossing() {
	old := v.token()
	v.ask(ask{kind: "renew"})
	op := v.ask(ask{kind: "logout", token: old})
	v.dead("logout wins", "", fmt.Sprintf("after %v", op))
}

// forged: only a token that was handed out opens a session (L1), and only one (L2).
func (v *visitor) forged() {
	token := v.token()
	v.set(v.text())
	other := v.load.newVisitor(v.session.Tag + "-other")
	other.login()
	v.lost = v.lost || other.lost
	raw, err := base64.RawURLEncoding.DecodeString(token)
	theirs, _ := base64.RawURLEncoding.DecodeString(other.token())
	if v.lost || err != nil || len(raw) != len(theirs) {
		return
	}
	mixed := append(slices.Clone(theirs[:len(theirs)-32]), raw[len(raw)-32:]...)
	fresh := make([]byte, len(raw))
	_, _ = rand.Read(fresh) // never fails
	unissued := base64.RawURLEncoding.EncodeToString(fresh)
	for why, forgery := range map[string]string{
		"with a letter more": token + "A", "without its last letter": token[:len(token)-1],
		"with another's secret": base64.RawURLEncoding.EncodeToString(mixed), "that nobody has issued": unissued,
	} {
		v.opensNothing("forged token", forgery, "a token "+why)
	}
	op := v.ask(ask{kind: "set", key: "k", form: url.Values{"value": {v.text()}}, token: unissued})
	v.want(op.Token != unissued, "forged token", "one that nobody has issued is taken over: %v", op)
	v.opensNothing("forged token", unissued, "a token that nobody has issued, and that was used to set a value,")
	for _, pair := range []string{token + "; " + cookieName + "=" + unissued, unissued + "; " + cookieName + "=" + token} {
		op := v.ask(ask{kind: "get", key: "k", header: [2]string{"Cookie", cookieName + "=" + pair}})
		v.want(op.User == "", "forged token", "one of two cookies is used: %v", op)
	}
	v.alive("logged out", "after forged tokens")
}

// remember: only the cookie of who asks for it outlives the browser (T3).
func (v *visitor) remember() {
	op := v.login()
	v.want(!op.Lasting, "remember", "an ordinary login outlives the browser: %v", op)
	op = v.ask(ask{kind: "login", form: url.Values{"user": {v.user}, "remember": {"1"}}})
	v.want(op.Lasting, "remember", "a remembered login does not outlive the browser: %v", op)
	op = v.ask(ask{kind: "renew"})
	v.want(op.Lasting, "remember", "a remembered login that is renewed does not outlive the browser: %v", op)
	op = v.login()
	v.want(!op.Lasting, "remember", "the next login is remembered too: %v", op)
	v.forget()
}

// remembered: a remembered login outlives the ordinary idle timeout (T3).
func (v *visitor) remembered() {
	v.ask(ask{kind: "login", form: url.Values{"user": {v.user}, "remember": {"1"}}})
	if !v.lost {
		time.Sleep(idle + margin)
		op := v.until(getK())
		v.want(op.User == v.user, "remember", "unused for more than %v: %v", idle, op)
	}
	v.forget()
}

// revocations end what they name, and nothing else (I2).
func (v *visitor) revocations() {
	phone, bob := v.load.newVisitor(v.session.Tag), v.load.newVisitor(v.session.Tag+"-bob")
	phone.login()
	bob.login()
	check := func(why string, lives, ends *visitor) {
		if v.lost = v.lost || phone.lost || bob.lost; !v.lost {
			lives.alive("revoked", why)
			if ends != nil {
				ends.dead("revoked", "", why)
			}
		}
	}
	revoke := func(s *Session, status int) {
		op := v.ask(ask{kind: "revoke", form: url.Values{"id": {s.ID}}, status: http.StatusNotFound})
		v.want(op.Status == status, "revoked", "want %d: %v", status, op)
	}
	check("before", v, nil)
	revoke(bob.session, http.StatusNotFound)
	check("another user's session", bob, nil)
	revoke(phone.session, http.StatusOK)
	check("one session", v, phone)
	phone.login()
	check("a new session", phone, nil)
	v.ask(ask{kind: "revoke-others"})
	check("the others", v, phone)
	check("another user's others", bob, nil)
	phone.login()
	v.ask(ask{kind: "revoke-user", form: url.Values{"user": {v.user}}})
	check("all of a user", bob, v)
	check("all of a user", bob, phone)
}

// idle: a session that is not used ends, whatever else its client asks for (T1, T2).
func (v *visitor) idle() {
	v.set(v.text())
	if v.lost {
		return
	}
	rested := idle * 7 / 10
	time.Sleep(rested)
	kept := v.send(getK())
	if v.lost = kept.Outcome != acknowledged || kept.End > v.used+int64(idle-margin); v.lost {
		return
	}
	v.want(kept.User == v.user, "logged out", "unused for %v of %v: %v", rested, idle, kept)
	for range 4 {
		time.Sleep((idle + margin) / 4)
		v.send(ask{kind: "blank"})
	}
	op := v.until(getK())
	v.want(op.User == "" && !op.Found, "idle timeout", "after more than %v: %v", idle, op)
}

// inUse: a session that is used lives on for its lifetime, and no longer (T1).
func (v *visitor) inUse() {
	text := v.text()
	v.set(text)
	renewed := false
	begin, begun := v.session.Begin, v.load.now() // its lifetime began in between
	for !v.lost && v.load.now() < begin+int64(lifetime()-margin) {
		time.Sleep(idle / 8)
		if !renewed && v.load.now() > begin+int64(idle) {
			v.ask(ask{kind: "renew"})
			renewed = true
			continue
		}
		switch op := v.send(getK()); {
		case op.Outcome != acknowledged, op.End > begin+int64(lifetime()-margin):
		case op.End > v.used+int64(idle/2):
			v.lost = true // a fault has kept it from being used
		default:
			v.want(op.User == v.user && op.Value == text, "logged out", "in use: %v", op)
			v.used = op.Begin
		}
	}
	for !v.lost && v.load.now() < begun+int64(lifetime()+margin) {
		time.Sleep(idle / 8)
		v.send(getK())
	}
	op := v.until(getK())
	v.want(op.User == "" && !op.Found, "lifetime", "after more than %v: %v", lifetime(), op)
}
