package adaptertest

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// reply is a response as the client saw it.
type reply struct {
	*harness
	status int
	header http.Header
	body   string
	err    error
	copies []string // Set-Cookie lines that header lacks
}

// read takes over resp, whose body it reads and closes.
func (r *reply) read(resp *http.Response) {
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	r.status, r.body, r.err = resp.StatusCode, string(body), err
	r.readHeader(resp.Header)
}

// readHeader takes over header.
func (r *reply) readHeader(header http.Header) {
	r.header = header
	isCopy := func(line string) bool {
		name, _, _ := parseSetCookie(line)
		return strings.HasSuffix(name, copySuffix)
	}
	if lines := r.header.Values("Set-Cookie"); slices.ContainsFunc(lines, isCopy) {
		r.copies = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !isCopy(line) })
		r.header["Set-Cookie"] = slices.DeleteFunc(lines, isCopy)
	}
}

// wants checks status and body.
func (r *reply) wants(status int, body string) *reply {
	r.Helper()
	if r.status != status || r.body != body {
		r.Errorf("answer is %d %.200q, want %d %.200q", r.status, r.body, status, body)
	}
	return r
}

// wantsStatus checks only the status.
func (r *reply) wantsStatus(status int) *reply {
	r.Helper()
	if r.status != status {
		r.Errorf("status is %d %.100q, want %d", r.status, r.body, status)
	}
	return r
}

// ours returns the session's Set-Cookie lines, including those of parts, or its answer
// header.
func (r *reply) ours() []string { return r.setCookies(false) }

// token returns the token that the answer hands out, "" if it is taken away.
func (r *reply) token() string {
	line := r.ours()[0]
	if !r.inHeader() {
		_, line, _ = parseSetCookie(line)
	}
	return line
}

// touches returns the Set-Cookie lines of touches.
func (r *reply) touches() []string { return r.setCookies(true) }

func (r *reply) setCookies(touches bool) []string {
	if r.inHeader() && touches {
		return r.header.Values(touchAnswer)
	} else if r.inHeader() {
		return r.header.Values(answerHeader)
	}
	var lines []string
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, cookieName) && strings.HasPrefix(line, touchName+"=") == touches {
			lines = append(lines, line)
		}
	}
	return lines
}

// sets checks that the response sets the session cookie, or its header, once.
func (r *reply) sets() *reply {
	r.Helper()
	if n := len(r.ours()); n != 1 {
		r.Errorf("%d lines with the session's token, want 1: %q", n, r.ours())
	}
	return r
}

// setsNothing checks that the response leaves the client's tokens alone.
func (r *reply) setsNothing() *reply {
	r.Helper()
	if lines := append(r.ours(), r.touches()...); len(lines) != 0 {
		r.Errorf("tokens %q in the response, want none", lines)
	}
	return r
}
