package devpage

import (
	"bytes"
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// ServeHTTP implements [http.Handler]. The query q selects entries about one
// session ID, user or path; trouble=1 selects those in which something went wrong.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	switch {
	case !p.InsecureAllowRemote && !local(r):
		http.Error(w, "devpage: this page is for the machine that the server runs on, under the name localhost. "+
			"For containers and other devices, set Page.InsecureAllowRemote; never in production.", http.StatusForbidden)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "devpage: only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	p.disown(r)
	query := r.URL.Query()
	if query.Has("css") {
		h.Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write([]byte(pageCSS)) // no one is left to report it to
		return
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, p.view(query.Get("q"), query.Get("trouble") != "")); err != nil {
		http.Error(w, "devpage: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	_, _ = w.Write(body.Bytes()) // no one is left to report it to
}

// local reports whether a request comes from this machine and is meant for it.
// One for a website whose name points to this machine is not.
func local(r *http.Request) bool {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !loopback(client) {
		return false
	}
	// A proxy on this machine may name its clients.
	for _, line := range slices.Concat(r.Header.Values("X-Forwarded-For"), r.Header.Values("X-Real-IP")) {
		for hop := range strings.SplitSeq(line, ",") {
			if !loopback(strings.TrimSpace(hop)) {
				return false
			}
		}
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopback(host)
}

func loopback(addr string) bool {
	ip, err := netip.ParseAddr(addr)
	return err == nil && ip.Unmap().IsLoopback()
}

// disown notes where the page is mounted, and forgets what the page recorded
// about itself.
func (p *Page) disown(r *http.Request) {
	path := r.URL.Path
	if full, err := url.ParseRequestURI(r.RequestURI); err == nil { // a prefix may have been stripped
		path = full.Path
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.own, path) || len(p.own) == maxOwn {
		return
	}
	p.own = append(p.own, strings.Clone(path))
	p.entries = slices.DeleteFunc(p.entries, func(e *entry) bool {
		if e.path == path {
			delete(p.requests, e.number)
		}
		return e.path == path
	})
}

// view is what the template shows.
type view struct {
	Query   string
	Trouble bool
	Total   int // how many requests there are, shown or not
	Several bool
	Entries []shown
}

// shown is an entry as the template shows it.
type shown struct {
	Request bool
	Manager string
	Time    string
	Clock   string
	Method  string
	Path    string
	Status  string
	IDs     []string
	Users   []string
	Notes   []note
	More    int
}

// view picks what to show, newest first.
func (p *Page) view(query string, trouble bool) view {
	query = strings.TrimSpace(query)
	p.mu.Lock()
	defer p.mu.Unlock()
	v := view{Query: cut(query), Trouble: trouble, Total: len(p.entries), Several: p.several}
	for _, e := range slices.Backward(p.entries) {
		if query != "" && !e.concerns(query) || trouble && !e.trouble() {
			continue
		}
		v.Entries = append(v.Entries, shown{
			Request: e.number != 0, Manager: e.manager,
			Time: e.time.Format(time.RFC3339), Clock: e.time.Local().Format(stamp),
			Method: e.method, Path: e.path, Status: e.answer(),
			IDs: slices.Clone(e.ids), Users: slices.Clone(e.users), Notes: slices.Clone(e.notes), More: e.more,
		})
	}
	return v
}

// concerns reports whether the entry is about a session, user or path.
func (e *entry) concerns(query string) bool {
	return slices.Contains(e.ids, query) || slices.Contains(e.users, query) || slices.Contains(e.was, query) || e.path == query
}

func (e *entry) trouble() bool {
	return slices.ContainsFunc(e.notes, func(n note) bool { return n.Level == warning || n.Level == failure })
}

// answer says how the request was answered.
func (e *entry) answer() string {
	switch {
	case e.number == 0:
		return ""
	case e.status != 0:
		return strconv.Itoa(e.status)
	case slices.ContainsFunc(e.notes, func(n note) bool { return n.Level == failure }):
		return "an error of the session" // such as a 503, perhaps before the handler ran
	case !e.finished:
		return "not finished"
	}
	return "connection taken over"
}
