package adaptertest

import (
	"net/http"
	"strings"
)

// reply is a response as the client saw it.
type reply struct {
	*harness
	status int
	header http.Header
	body   string
	err    error
}

// wants checks status and body.
func (r *reply) wants(status int, body string) *reply {
	r.Helper()
	if r.status != status || r.body != body {
		r.Errorf("answer is %d %.200q, want %d %.200q", r.status, r.body, status, body)
	}
	return r
}

// wantsStatus checks the status alone.
func (r *reply) wantsStatus(status int) *reply {
	r.Helper()
	if r.status != status {
		r.Errorf("status is %d %.100q, want %d", r.status, r.body, status)
	}
	return r
}

// ours returns the Set-Cookie lines of the session, in parts or not.
func (r *reply) ours() []string {
	var lines []string
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, cookieName) {
			lines = append(lines, line)
		}
	}
	return lines
}

// sets checks that the response sets the session cookie, once.
func (r *reply) sets() *reply {
	r.Helper()
	if n := len(r.ours()); n != 1 {
		r.Errorf("%d Set-Cookie lines of the session, want 1: %q", n, r.header.Values("Set-Cookie"))
	}
	return r
}

// setsNothing checks that the response leaves the session cookie alone.
func (r *reply) setsNothing() *reply {
	r.Helper()
	if lines := r.ours(); len(lines) != 0 {
		r.Errorf("Set-Cookie %q, want none", lines)
	}
	return r
}
