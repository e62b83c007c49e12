package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// cookieName is the probe's cookie over plain HTTP.
const cookieName = "session"

// copyName is the cookie with a hybrid's copy.
const copyName = cookieName + "-copy"

// answer is the union of what the probe's routes answer.
type answer struct {
	Found bool            `json:"found"`
	Value json.RawMessage `json:"value"`
	ID    string          `json:"id"`
	User  string          `json:"user"`
}

// ask is a request.
type ask struct {
	kind, key string     // the probe's route, and the key that it is about
	form      url.Values // its other parameters
	token     string     // instead of the jar's
	method    string     // instead of the route's
	header    [2]string  // one more, or instead of the cookies
	status    int        // from 300 on, also an acknowledgement; or see whatever
}

// whatever: a visit asks for an answer that means nothing, such as that to a panic.
const whatever = -1

// do sends one operation to any of the probes and records it. token replaces the jar's if not empty.
func (b *browser) do(kind, key string, form url.Values, token string) Op {
	return b.send(ask{kind: kind, key: key, form: form, token: token})
}

func (b *browser) send(a ask) Op {
	base := b.load.urls[rand.IntN(len(b.load.urls))]
	method, target := http.MethodPost, base+"/"+a.kind
	if reads(a.kind) {
		method = http.MethodGet
	}
	if a.method != "" {
		method = a.method
	}
	query := url.Values{}
	maps.Copy(query, a.form)
	if a.key != "" {
		query.Set("key", a.key)
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	op := Op{Kind: a.kind, Key: a.key, Arg: a.form.Get("value") + a.form.Get("text"), Late: a.token != ""}
	request, err := http.NewRequestWithContext(context.Background(), method, target, nil)
	if err != nil {
		panic(err) // the referee's own mistake
	}
	at, _ := url.Parse(base)
	switch {
	case a.header[0] == "Cookie":
	case a.token != "":
		request.AddCookie(&http.Cookie{Name: cookieName, Value: a.token})
		if copied, _ := b.copied.Load().(string); copied != "" {
			request.AddCookie(&http.Cookie{Name: copyName, Value: copied})
		}
	default:
		for _, c := range b.jar.Cookies(at) {
			request.AddCookie(c)
		}
	}
	if a.header[0] != "" {
		request.Header.Set(a.header[0], a.header[1])
	}
	op.Begin = b.load.now()
	response, body, err := b.load.client.do(request)
	op.End = b.load.now()
	b.outcome(&op, base, a.status, response, err)
	if err == nil {
		b.cookies(&op, at, response, a.token != "" || a.header[0] == "Cookie")
		b.read(&op, body)
	}
	b.session.add(op)
	return op
}

// reads reports whether a route of the probe wants a GET.
func reads(kind string) bool {
	return slices.Contains([]string{"get", "flashes", "sessions", "blank", "panic"}, kind)
}

func (b *browser) outcome(op *Op, base string, status int, response *http.Response, err error) {
	if err != nil && status != whatever && !b.load.inTrouble(*op) {
		b.broke("no answer", "%v: %v", err, *op)
	}
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		op.Outcome = refused
	case err != nil:
		op.Outcome = unknown
	default:
		op.Status = response.StatusCode
		if op.Status < 300 || op.Status == status {
			break
		}
		op.Outcome = unknown
		if op.End-op.Begin >= int64(starved) {
			b.load.troubled() // if not by a fault, by a busy machine
		}
		switch {
		case status == whatever || b.load.explains(*op, b.session):
		case op.Kind == "revoke-others" && op.Status == http.StatusNotFound: // to somebody anonymous
			b.broke("logged out", "%v", *op)
		default:
			b.broke("unexplained answer", "%v", *op)
		}
	}
	if op.Outcome == unknown {
		b.load.Unknowns.Add(1)
	}
	if op.Outcome != refused {
		b.load.Ops.Add(1)
	}
	if w := b.load.watch.Load(); w != nil && status != whatever {
		w.see(*op, base)
	}
}

// cookies keeps what the response sets.
func (b *browser) cookies(op *Op, at *url.URL, response *http.Response, borrowed bool) {
	lines := map[string]int{}
	for _, c := range response.Cookies() {
		if c.Name != cookieName && c.Name != copyName {
			continue
		}
		lines[c.Name]++
		if c.Domain != "" {
			op.Careless = "other hosts get it"
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
			op.Careless = "scripts or other websites can use " + c.Raw[len(c.Name)+1+len(c.Value):]
		}
		if c.Name == copyName {
			if c.Value != "" {
				b.copied.Store(c.Value)
			}
			continue
		}
		op.Cookie = "set"
		if c.MaxAge < 0 {
			op.Cookie = "deleted"
		} else if len(c.Value) > 0 {
			op.Token, op.Lasting = c.Value, c.MaxAge > 0
			of := b.session
			if borrowed || op.Kind != "login" && op.Kind != "renew" {
				of = newSession(b.session.Tag, "") // a new one, which nobody ends
			}
			b.load.mu.Lock()
			b.load.tokens[c.Value] = of
			b.load.mu.Unlock()
		}
	}
	if lines[cookieName] > 1 || lines[copyName] > 1 {
		op.Careless = "several lines for one cookie"
	}
	control := response.Header.Get("Cache-Control") // a copy alone may stay in its client's cache
	if op.Cookie != "" && !strings.Contains(control, "no-store") || len(lines) > 0 && !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
		op.Careless = "a cookie that others may get from a cache"
	}
	if !borrowed {
		b.jar.SetCookies(at, response.Cookies())
	}
}

func (b *browser) read(op *Op, body []byte) {
	if op.Outcome != acknowledged || op.Status >= 300 && op.Kind != "flashes" {
		return
	}
	if op.Kind == "flashes" {
		var list []struct{ Kind, Text string }
		_ = json.Unmarshal(body, &list) // an empty list is judged
		for _, f := range list {
			op.Flashes = append(op.Flashes, f.Text)
			if !strings.HasSuffix(f.Text, " "+f.Kind) {
				op.Mixed = f.Kind
			}
		}
		return
	}
	var a answer
	_ = json.Unmarshal(body, &a) // likewise
	op.Found, op.ID, op.User = a.Found, a.ID, a.User
	var text string
	if json.Unmarshal(a.Value, &text) != nil {
		text = string(a.Value)
	}
	if op.Key == counter {
		op.Count, _ = strconv.Atoi(text)
	} else {
		op.Value = text
	}
}

// token is the one in the jar, "" for none.
func (b *browser) token() string {
	at, _ := url.Parse(b.load.urls[0])
	for _, c := range b.jar.Cookies(at) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}
