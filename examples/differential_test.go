package examples_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// FuzzL1SEC31SEC32SEC33SEC36OneVerdict sends the same bytes as a Cookie header
// to all frameworks, over TCP, and demands one verdict: the same status,
// the same session or none, a Set-Cookie from all or from none. A server itself may
// refuse what HTTP does not allow in a header, and only that.
//
// In the header, {T} stands for a token, {U} for another session's, {N} for the
// cookie's name, {0} to {2} for the parts of a split token. A line break begins
// another Cookie line, or a continuation if a blank follows.
func FuzzL1SEC31SEC32SEC33SEC36OneVerdict(f *testing.F) {
	for _, header := range verdictSeeds {
		for mode := range byte(4) {
			f.Add(mode, []byte(header))
		}
	}
	for i := range headerNames {
		f.Add(byte(i<<2), []byte("{N}={T}"))
	}
	server, sealed := newField(f, serverSide(f)), newField(f, clientSide(f))
	f.Fuzz(func(t *testing.T, mode byte, header []byte) {
		side, path := server, "/read"
		if mode&1 != 0 {
			side = sealed
			if mode&2 != 0 { // whatever is written is in cookies alone
				path = "/write"
			}
		}
		name := headerNames[int(mode>>2)%len(headerNames)]
		if complaint := side.judge(t, path, name, side.expand(string(header))); complaint != "" {
			t.Error(complaint)
		}
	})
}

// headerNames are spellings of the header's name, and names that are not it.
var headerNames = []string{"Cookie", "cookie", "COOKIE", "Cookie2", "Coo\u212aie", "Cookie "}

// verdictSeeds are headers on which parsers have differed.
var verdictSeeds = []string{
	"", "{N}={T}", "{N}={0}; {N}-1={1}; {N}-2={2}", "a=b; {N}={T}; c=d", "{N}={T}; {N}={U}", "{N}={U}\n{N}={T}", "{N}={T}; {N}={T}", "x=y\n{N}={T}",
	"{N}={T};{N}=", "{N}=; {N}={T}", "{N}=\"{T}\"", "{N} = {T} ", "\t{N}\t=\t{T}\t", "{N}={T}\n \t; a=b", "{N}=\n {T}", "a\n ={N}={T}", "{N}=%22{T}",
	"__host-session={T}", "__HOST-SESSION={T}", "%5F%5FHost-session={T}", "\u00a0{N}={T}", "{N}\u00a0={T}", "{N}={T}\xff", "\xff={N}; {N}={T}", "{N}={T}\x00",
	"a=\x01; {N}={T}", "{N}={T}\r", "\r{N}={T}", "{N}={T}\r\n \rx", "a=\"; {N}={T}; b=\"", "a=\"x;y\"; {N}={T}", "$Version=1; {N}={T}; $Path=/", "{N}={T},{N}={U}",
	"{N}", "=; =={T}; {N}={T}", "; ;;{N}={T};;", "={N}={T}", "{N}=={T}", "{N}={T}=", "{N}={0}; {N}-1={1}; {N}-2={0}", "{N}={0}; {N}-1={1}", "{N}={0}; {N}-2={1}; {N}-1={2}",
	"{N}-1={1}; {N}-2={2}; {N}={0}; {N}-2={2}", "{N}=~1~{T}", "{N}=~2~{T}", "{N}-1={T}", "{N}={T}; {N}-1=x", "é={T}; {N}={T}", "\x7f={N}; {N}={T}", "\xe2\x80\x83{N}={T}",
}

// TestVerdictsDiffer shows that the test notices a framework that reads headers
// in its own way.
func TestVerdictsDiffer(t *testing.T) {
	d := newField(t, serverSide(t))
	sound := d.servers[2].addr
	for name, test := range map[string]struct {
		change func(http.Header)
		header string
	}{
		"the first of two lines": {func(h http.Header) { h["Cookie"] = h["Cookie"][:1] }, "x=y\n{N}={T}"},
		"the first of two":       {func(h http.Header) { h["Cookie"][0], _, _ = strings.Cut(h["Cookie"][0], "; ") }, "{N}={T}; {N}={U}"},
		"without quotes":         {func(h http.Header) { h["Cookie"][0] = strings.ReplaceAll(h["Cookie"][0], `"`, "") }, `{N}="{T}"`},
		"decoded":                {func(h http.Header) { h["Cookie"][0] = strings.ReplaceAll(h["Cookie"][0], "%5F", "_") }, "%5F_Host-session={T}"},
		"in any case":            {func(h http.Header) { h["Cookie"][0] = strings.Replace(h["Cookie"][0], "__HOST", "__Host", 1) }, "__HOST-session={T}"},
		"a session for all":      {func(h http.Header) { h["Cookie"] = []string{d.expand("{N}={T}")} }, "a=b"},
		"none":                   {func(h http.Header) { delete(h, "Cookie") }, "{N}={T}"},
	} {
		header := d.expand(test.header)
		d.servers[2].addr = sound
		d.servers[2].hangUp()
		if complaint := d.judge(t, "/read", "Cookie", header); complaint != "" {
			t.Errorf("%s: before any change: %s", name, complaint)
		}
		proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: sound})
			test.change(r.Out.Header)
		}})
		d.servers[2].addr = proxy.Listener.Addr().String()
		d.servers[2].hangUp()
		if d.judge(t, "/read", "Cookie", header) == "" {
			t.Errorf("%s: not noticed", name)
		}
		d.servers[2].hangUp()
		proxy.Close()
	}
	d.servers[2].addr = refusing(t)
	if d.judge(t, "/read", "Cookie", "a=b") == "" || d.judge(t, "/read", "Cookie", "a=\x01") != "" {
		t.Error("a server may refuse what is not a header, and nothing else")
	}
}

// refusing returns the address of a server that answers everything with 400.
func refusing(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// field is the frameworks with the same sessions.
type field struct {
	servers []*verdictServer
	marks   *strings.Replacer
}

const verdictName = "__Host-session"

func serverSide(f testing.TB) core.Backend {
	store := memstore.New(memstore.Config{SweepInterval: -1})
	f.Cleanup(func() { _ = store.Close() })
	return core.ServerSide(store)
}

func clientSide(f testing.TB) core.Backend {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		f.Fatal(err)
	}
	return core.ClientSide(sealed.Cookie(keys))
}

func newField(f testing.TB, backend core.Backend) *field {
	m, err := core.New(backend, core.Config{
		IdleTimeout: core.NoTimeout, Lifetime: core.NoTimeout, LoadTimeout: time.Minute, CommitTimeout: time.Minute,
		Observer: func(context.Context, core.Event) {}, Cookie: core.Cookie{MaxParts: 5},
	})
	if err != nil {
		f.Fatal(err)
	}
	answer := func(r adaptertest.Request, s *core.Session) error {
		v, _ := core.Get[string](s, "k")
		return r.Text(200, fmt.Sprintf("session %.10q new %v %s", v, s.IsNew(), s.ID()))
	}
	routes := []adaptertest.Route{
		{Method: "GET", Path: "/read", Handler: func(r adaptertest.Request) error { return answer(r, r.Session()) }},
		{Method: "GET", Path: "/write", Handler: func(r adaptertest.Request) error {
			r.Session().Set("touched", true)
			return r.Text(200, fmt.Sprint("written, new: ", r.Session().IsNew()))
		}},
		{Method: "POST", Path: "/begin", Handler: func(r adaptertest.Request) error {
			r.Session().Set("k", r.RequestHeader("X-Value"))
			return answer(r, r.Session())
		}},
	}
	d := new(field)
	for _, fw := range frameworks {
		d.servers = append(d.servers, newVerdictServer(f, fw.name, fw.newApp(adaptertest.Config{Managers: []*core.Manager{m}, Routes: routes})))
	}
	marks := []string{"{N}", verdictName, "{T}", d.token(f, "one")[0], "{U}", d.token(f, "two")[0]}
	for i, part := range d.token(f, strings.Repeat("three ", 1200)) {
		marks = append(marks, fmt.Sprintf("{%d}", i), part)
	}
	d.marks = strings.NewReplacer(marks...)
	return d
}

// token begins a session and returns the values of its cookies.
func (d *field) token(f testing.TB, value string) (parts []string) {
	s := d.servers[0]
	request, err := http.NewRequestWithContext(f.Context(), http.MethodPost, "http://"+s.addr+"/begin", nil)
	if err != nil {
		f.Fatal(err)
	}
	request.Header.Set("X-Value", value)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only the header is of interest
	for _, c := range response.Cookies() {
		parts = append(parts, c.Value)
	}
	if len(parts) == 0 {
		f.Fatal("no token")
	}
	return parts
}

// maxVerdictHeader is a size that all servers read.
const maxVerdictHeader = 60 << 10

func (d *field) expand(header string) string {
	if header = d.marks.Replace(header); len(header) > maxVerdictHeader {
		header = header[:maxVerdictHeader]
	}
	return header
}

// judge sends one request to all, and says which of them differ.
func (d *field) judge(t *testing.T, path, name, header string) (complaint string) {
	var lines strings.Builder
	for i, line := range strings.Split(header, "\n") {
		if i == 0 || line == "" || line[0] != ' ' && line[0] != '\t' {
			lines.WriteString(name + ": ")
		} else if strings.Trim(line, " \t\r") == "" {
			continue // fasthttp waits for more after a continuation with nothing in it
		}
		lines.WriteString(line + "\r\n")
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + lines.String() + "\r\n"
	allowed, patience := isFieldContent(header) && isFieldName(name), 10*time.Second
	if !allowed { // fasthttp waits for more after some of it
		patience = 250 * time.Millisecond
	}
	first, by := "", ""
	for _, s := range d.servers {
		got, refused := s.ask(t, request, patience)
		if !allowed { // the next request must not find what a server took for the end of this one
			s.hangUp()
		}
		switch {
		case refused && allowed:
			complaint += fmt.Sprintf("%s refuses %q: %s\n", s.name, header, got)
		case refused:
		case first == "":
			first, by = got, s.name
		case got != first:
			complaint += fmt.Sprintf("%q:\n%s says %s\n%s says %s\n", header, by, first, s.name, got)
		}
	}
	return complaint
}

// isFieldContent reports whether HTTP allows all of header in fields (RFC 9110
// section 5.5): no control characters, and no continuations.
func isFieldContent(header string) bool {
	for i := range len(header) {
		c := header[i]
		if c < ' ' && c != '\t' && c != '\n' || c == 0x7f || c == '\n' && i+1 < len(header) && (header[i+1] == ' ' || header[i+1] == '\t') {
			return false
		}
	}
	return true
}

// isFieldName reports whether HTTP allows the name (RFC 9110 section 5.1).
func isFieldName(name string) bool {
	return strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// verdictServer is one framework, and a connection to it.
type verdictServer struct {
	name, addr string
	conn       net.Conn
	in         *bufio.Reader
}

func newVerdictServer(f testing.TB, name string, app adaptertest.App) *verdictServer {
	l, err := new(net.ListenConfig).Listen(f.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	s := &verdictServer{name: name, addr: l.Addr().String()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = app.Serve(l) // ends by Shutdown, with an error in some frameworks
	}()
	f.Cleanup(func() {
		s.hangUp()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = app.Shutdown(ctx)
		<-ended
	})
	return s
}

func (s *verdictServer) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// ask returns the verdict on a request, and whether the server itself refused
// it.
func (s *verdictServer) ask(t *testing.T, request string, patience time.Duration) (verdict string, refused bool) {
	if s.conn == nil {
		conn, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		s.conn, s.in = conn, bufio.NewReader(conn)
	}
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(s.conn, request) // a server may refuse before it has read all
	response, err := http.ReadResponse(s.in, nil)
	if err != nil {
		s.hangUp()
		return err.Error(), true
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read
	if err != nil || response.Close {
		s.hangUp()
	}
	refused = response.StatusCode == http.StatusBadRequest
	if err != nil { // no matter if the server has left the rest of the request unread
		return err.Error(), refused
	}
	// How many cookies there are, and which, depends only on the session.
	var names []string
	for _, c := range response.Cookies() {
		names = append(names, fmt.Sprintf("%s:%d", c.Name, c.MaxAge))
	}
	return fmt.Sprintf("%d %s, sets %q", response.StatusCode, body, names), refused
}
