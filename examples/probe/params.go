package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

// badParam is a missing or invalid parameter.
type badParam struct{ name, want string }

// Error implements error.
func (e *badParam) Error() string {
	return fmt.Sprintf("parameter %q: want %s", e.name, e.want)
}

// params reads parameters and keeps the first error, so that a handler checks once.
type params struct {
	r   adaptertest.Request
	err error
}

func (p *params) refuse(name, want string) {
	if p.err == nil {
		p.err = &badParam{name, want}
	}
}

// text reads a parameter that must be there.
func (p *params) text(name string) string {
	v := p.r.Param(name)
	if v == "" {
		p.refuse(name, "a text, in the query or the form")
	}
	return v
}

// number reads a number from low to high; without one it returns def.
func (p *params) number(name string, def, low, high int) int {
	v := p.r.Param(name)
	if v == "" {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		p.refuse(name, fmt.Sprintf("a number from %d to %d", low, high))
		return def
	}
	return n
}

// delay reads how many milliseconds to wait.
func (p *params) delay() time.Duration {
	return time.Duration(p.number("delay", 0, 0, 600_000)) * time.Millisecond
}

// status reads the status to answer with.
func (p *params) status() int { return p.number("status", http.StatusOK, 200, 599) }

// on reads a switch: 1 or 0.
func (p *params) on(name string) bool {
	v := p.r.Param(name)
	if v == "" {
		return false
	}
	on, err := strconv.ParseBool(v)
	if err != nil {
		p.refuse(name, "1 or 0")
	}
	return on
}

// path reads the path to redirect to, "" for none. It takes only paths on this
// server: others would make the probe a tool for phishing.
func (p *params) path(name string) string {
	v := p.r.Param(name)
	if v == "" {
		return ""
	}
	if !strings.HasPrefix(v, "/") || strings.HasPrefix(v, "//") || strings.ContainsFunc(v, notInPath) {
		p.refuse(name, "a path on this server, such as /page")
	}
	return v
}

// notInPath finds what browsers would read differently, or no header may have.
func notInPath(r rune) bool { return r == '\\' || unicode.IsControl(r) }

// id reads a session's ID.
func (p *params) id(name string) core.ID {
	id, err := core.ParseID(p.r.Param(name))
	if err != nil {
		p.refuse(name, "a session's ID, as /sessions lists them")
	}
	return id
}

// kinds reads the kind of flashes to return; none means all.
func (p *params) kinds() []string {
	if kind := p.r.Param("kind"); kind != "" {
		return []string{kind}
	}
	return nil
}
