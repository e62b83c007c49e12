package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	neturl "net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/examples/internal/runtest"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

var older = flag.String("older", "", "a probe of an earlier version, to run beside this one")

// TestVersionsSideBySide runs an earlier version and this one on one store, as a rolling
// deployment does and its rollback. The requests of a browser overlap in both.
func TestVersionsSideBySide(t *testing.T) {
	if *older == "" {
		t.Skip("make side-by-side runs it")
	}
	newer := runtest.Build(t)
	t.Setenv("SESSION_KEYS", sealed.GenerateKey())
	redis := "redis://" + redistest.Start(t).Addr()
	for i, s := range []struct {
		name, store string
		window      time.Duration
	}{
		{"redis", redis, 0},
		{"near", "near+" + redis + "/1?window=100ms", 100 * time.Millisecond},
		{"hybrid", "hybrid+" + redis + "/2?window=1s", time.Second},
		{"gorilla-redis", "gorilla-" + redis + "/3", 0},
		{"sqlite", "sqlite:" + t.TempDir() + "/satchel.db", 0},
		{"postgres", sqltest.SharedPostgres(t).URL(), 0},
		{"mariadb", sqltest.SharedMariaDB(t).URL(), 0},
		{"memcached", "memcached://" + memcachedtest.Start(t, "-M").Addr(), 0},
		{"cookie", "cookie:", 0},
		{"gorilla-cookie", "gorilla-cookie:", 0},
		{"jwt", "jwt:", 0},
		{"jwe", "jwe:", 0},
	} {
		names := []string{"nethttp", "echo5", "echo", "gin", "fiber3", "fiber"}
		start := func(bin string, i int) string {
			return runtest.Start(t, bin, "-framework", names[i%len(names)], "-store", s.store, "-addr", "127.0.0.1:0", "-insecure", "-idle", idle.String()).URL
		}
		old, now := start(*older, i), start(newer, i+1)
		for name, p := range map[string]versions{
			"from-old": {store: s.store, window: s.window, here: old, there: now},
			"from-new": {store: s.store, window: s.window, here: now, there: old},
		} {
			p.user = name
			for part, test := range map[string]func(*versions){"use": (*versions).use, "idle": (*versions).expire} {
				t.Run(s.name+"/"+name+"/"+part, func(t *testing.T) {
					t.Parallel()
					p := p
					p.T = t
					test(&p)
				})
			}
		}
	}
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		inTurn(t, *older, newer)
	})
}

// idle is the idle timeout of versions side by side.
const idle = 8 * time.Second

// versions are probes of two versions on one store.
type versions struct {
	*testing.T
	store, user string
	here, there string        // where they listen
	window      time.Duration // how old may be what a GET sees
}

func (p *versions) clientSide() bool {
	return !strings.HasPrefix(p.store, "hybrid+") && !onServer(p.store)
}

// listed reports whether the store can list a user's sessions.
func (p *versions) listed() bool {
	return !p.clientSide() && !strings.HasPrefix(p.store, "memcached:")
}

// browser returns a new browser, as it is at both.
func (p *versions) browser() (here, there *client) {
	here, there = newClient(p.T, p.here), newClient(p.T, p.there)
	there.http.Jar = here.http.Jar
	return here, there
}

// twin returns another browser with the same cookies, at both.
func (p *versions) twin(c *client) (here, there *client) {
	here, there = p.browser()
	where, err := neturl.Parse(c.url)
	if err != nil {
		p.Fatal(err)
	}
	here.http.Jar.SetCookies(where, c.http.Jar.Cookies(where))
	return here, there
}

// sees checks what a browser finds under a key, and whose it is.
func (p *versions) sees(c *client, key, value, user string) {
	p.Helper()
	time.Sleep(p.window)
	var got struct{ Value, User string }
	c.into("GET /get?key="+key, &got)
	if got.Value != value || got.User != user {
		p.Errorf("%s at %s is %q of user %q, want %q of %q", key, p.version(c), got.Value, got.User, value, user)
	}
}

func (p *versions) version(c *client) string {
	if (c.url == p.here) == (p.user == "from-old") {
		return "the old version"
	}
	return "the new version"
}

func (p *versions) use() {
	p.share()
	if !p.clientSide() {
		p.overlap()
	}
	if p.listed() {
		p.lists()
	}
}

// share hands a browser from one to the other.
func (p *versions) share() {
	here, there := p.browser()
	for n, c := range []*client{here, there, here, there} {
		c.wants("POST /incr?key=n", 200, fmt.Sprintf(`{"value":%d}`, n+1))
	}
	here.wants("POST /set?key=k&value=v", 200, `{}`)
	p.sees(there, "k", "v", "")
	here.wants("POST /flash?kind=info&text=hello", 204, "")
	time.Sleep(p.window)
	there.wants("GET /flashes", 200, `[{"kind":"info","text":"hello"}]`)
	time.Sleep(p.window)
	here.wants("GET /flashes", 200, `[]`)
	there.wants("GET /flashes", 200, `[]`)

	id := here.id("POST /login?remember=1&user=" + p.user)
	p.sees(there, "k", "v", p.user)
	before, beforeThere := p.twin(here)
	if got := there.id("POST /renew"); got != id {
		p.Errorf("a renewal changes the ID from %s to %s", id, got)
	}
	p.sees(here, "k", "v", p.user)
	if !p.clientSide() { // I1
		p.sees(before, "k", "", "")
		p.sees(beforeThere, "k", "", "")
	}
	before, beforeThere = p.twin(here)
	there.wants("POST /logout", 200, `{"id":""}`)
	p.sees(here, "k", "", "")
	if !p.clientSide() { // I3
		p.sees(before, "k", "", "")
		p.sees(beforeThere, "k", "", "")
	}
}

// overlap has requests in flight at one while the other answers.
func (p *versions) overlap() {
	here, there := p.browser()
	here.id("POST /login?user=" + p.user)
	p.during(there, "POST /set?key=a&value=late&delay=1500", func() { // K1
		here.wants("POST /set?key=b&value=meanwhile", 200, `{}`)
	})
	p.sees(here, "a", "late", p.user)
	p.sees(there, "b", "meanwhile", p.user)

	const n = 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers, refused := map[string]bool{}, 0
	send := func(i int, request string) {
		wg.Go(func() {
			r := []*client{here, there}[i%2].send(request, "")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.status == http.StatusServiceUnavailable: // a slow machine; it may have been stored
				refused++
			case r.status >= 300 || answers[r.body]:
				p.Errorf("K1: %s: %d %s, which another request was answered too", request, r.status, r.body)
			case r.body != "":
				answers[r.body] = true
			}
		})
	}
	for i := range n { // K1
		send(i, "POST /incr?key=n&delay=20")
	}
	wg.Wait()
	if len(answers)+refused != n || refused > n/2 {
		p.Errorf("K1: %d increments have %d answers and %d refusals", n, len(answers), refused)
	}
	refused = 0
	for i := range n { // F6
		send(i, fmt.Sprintf("POST /flash?kind=info&text=%02d", i))
	}
	wg.Wait()
	time.Sleep(p.window)
	shown, missing := there.wants("GET /flashes", 200, "").body, 0
	for i := range n {
		if count := strings.Count(shown, fmt.Sprintf(`"text":"%02d"`, i)); count > 1 {
			p.Errorf("F6: the flash %02d is shown %d times: %s", i, count, shown)
		} else if count == 0 {
			missing++
		}
	}
	if missing > refused || refused > n/2 {
		p.Errorf("F6: %d flashes are missing, and %d were refused: %s", missing, refused, shown)
	}
	time.Sleep(p.window)
	here.wants("GET /flashes", 200, `[]`)

	tokens := map[string]*client{p.token(here): here} // K3
	var twins []*client
	for range 3 {
		a, b := p.twin(here)
		_, b2 := p.twin(b)
		twins = append(twins, a, b2)
	}
	for _, c := range twins {
		wg.Go(func() { c.send("POST /renew", "") }) // the others are refused
	}
	wg.Wait()
	for _, c := range twins {
		tokens[p.token(c)] = c
	}
	var alive *client
	time.Sleep(p.window)
	for _, c := range tokens {
		var got struct{ User string }
		if c.into("GET /get?key=a", &got); got.User != "" {
			if alive != nil {
				p.Error("K3: two tokens live after renewals at once")
			}
			alive = c
		}
	}
	if alive == nil {
		p.Fatal("K3: no token lives after renewals at once")
	}
	p.ends(func(c *client, _ string) { c.wants("POST /logout", 200, `{"id":""}`) }) // K2
	if p.listed() {
		p.ends(func(c *client, id string) { c.wants("POST /revoke?id="+id, 200, `{}`) })
	}
}

// ends ends a session here while requests of it are in flight there.
func (p *versions) ends(end func(c *client, id string)) {
	for _, request := range []string{"POST /set?key=a&value=late&delay=1500", "POST /incr?key=a&delay=1500"} {
		here, _ := p.browser()
		id := here.id("POST /login?user=" + p.user)
		twinHere, twinThere := p.twin(here)
		token := p.token(twinThere)
		p.during(twinThere, request, func() { end(here, id) })
		if got := p.token(twinThere); got != "" && got != token {
			p.Errorf("K2: %s, in flight while the session ended, has set a cookie", request)
		}
		p.sees(twinThere, "a", "", "")
		p.sees(twinHere, "a", "", "")
	}
}

// during does something while a request is in flight, and has loaded its session.
func (p *versions) during(c *client, request string, do func()) {
	p.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { c.send(request, "") })
	time.Sleep(500 * time.Millisecond)
	do()
	wg.Wait()
}

// token is a browser's session cookie, "" for none.
func (p *versions) token(c *client) string {
	where, err := neturl.Parse(c.url)
	if err != nil {
		p.Fatal(err)
	}
	for _, cookie := range c.http.Jar.Cookies(where) {
		if cookie.Name == "session" {
			return cookie.Value
		}
	}
	return ""
}

// lists looks at a user's sessions, begun and ended at both.
func (p *versions) lists() {
	user := p.user + "-listed"
	laptop, laptopThere := p.browser()
	phoneThere, phone := p.browser()
	want := []string{laptop.id("POST /login?user=" + user), phone.id("POST /login?user=" + user)}
	for _, c := range []*client{laptop, laptopThere, phone, phoneThere} {
		time.Sleep(p.window)
		list := listed(p.T, c)
		if _, other := list[want[1]]; len(list) != 2 || !other || list[want[0]].user != user {
			p.Errorf("I2: %s lists %v, want %v", p.version(c), list, want)
		}
	}
	laptopThere.wants("POST /revoke?id="+want[1], 200, `{}`)
	p.sees(phone, "k", "", "")
	phone.id("POST /login?user=" + user)
	laptop.wants("POST /revoke-others", 200, `{}`)
	p.sees(phone, "k", "", "")
	if list := listed(p.T, laptopThere); len(list) != 1 {
		p.Errorf("I2: %s lists %v, want the one that is left", p.version(laptopThere), list)
	}
	phone.id("POST /login?user=" + user)
	laptopThere.wants("POST /revoke-user?user="+user, 200, `{}`)
	p.sees(laptop, "k", "", "")
	p.sees(phoneThere, "k", "", "")
}

// expire lets a session live on by touches of both, and then end.
func (p *versions) expire() {
	here, there := p.browser()
	here.wants("POST /set?key=k&value=v", 200, `{}`)
	for _, c := range []*client{there, here, there} {
		time.Sleep(idle * 2 / 5)
		p.sees(c, "k", "v", "")
	}
	time.Sleep(idle + time.Second)
	p.sees(here, "k", "", "")
	p.sees(there, "k", "", "")
}

// inTurn has versions take turns in a directory, as files belong to one process.
func inTurn(t *testing.T, bins ...string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	store := "file:" + t.TempDir()
	for n := range 6 {
		p := runtest.Start(t, bins[n%len(bins)], "-store", store, "-addr", "127.0.0.1:0", "-insecure")
		c := newClient(t, p.URL)
		c.http.Jar = jar
		if n == 0 {
			c.wants("POST /login?user=ann", 200, "")
		} else {
			c.wants("GET /flashes", 200, `[{"kind":"info","text":"hello"}]`)
			if list := listed(t, c); len(list) != 1 {
				t.Errorf("turn %d lists %v, want one session", n, list)
			}
		}
		c.wants("POST /incr?key=n", 200, fmt.Sprintf(`{"value":%d}`, n+1))
		c.wants("POST /flash?kind=info&text=hello", 204, "")
		if n%3 == 0 {
			p.Kill()
		} else if err := p.Terminate(); err != nil {
			t.Error(err)
		}
	}
}
