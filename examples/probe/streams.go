package main

import (
	"fmt"
	"io"
	"time"

	"github.com/satchel-go/satchel/core/adaptertest"
)

// stream sets a value, then sends n server-sent events, flushed one by one.
func stream(r adaptertest.Request) error {
	p := params{r: r}
	n, delay, key := p.number("n", 1, 1, 1_000_000), p.delay(), r.Param("key")
	if p.err != nil {
		return p.err
	}
	if key != "" {
		r.Session().Set(key, r.Param("value"))
	}
	r.SetHeader("X-Accel-Buffering", "no") // what proxies buffer arrives too late
	return r.Stream("text/event-stream", func(w io.Writer, flush func() error) error {
		for i := 1; i <= n; i++ {
			if _, err := fmt.Fprintf(w, "data: {\"n\":%d}\n\n", i); err != nil {
				return nil // the client is gone
			}
			if err := flush(); err != nil {
				return nil // the client is gone
			}
			if i < n {
				time.Sleep(delay)
			}
		}
		return nil
	})
}

// panics sets a value and then panics: the change is rolled back.
func panics(r adaptertest.Request) error {
	p := params{r: r}
	key := p.text("key")
	if p.err != nil {
		return p.err
	}
	r.Session().Set(key, r.Param("value"))
	panic("probe: as asked for")
}

// late sets a value after the body has started. A session stored on the server
// keeps it; if it needs a cookie, it is lost, and the log says so. (Fiber sends
// nothing before the handler returns, so there it is always in time.)
func late(r adaptertest.Request) error {
	p := params{r: r}
	key := p.text("key")
	if p.err != nil {
		return p.err
	}
	r.SetHeader("Content-Type", "application/json")
	if err := r.Raw("{\"started\":true}\n"); err != nil {
		return err
	}
	r.Session().Set(key, r.Param("value"))
	return nil
}
