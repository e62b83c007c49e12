package main

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

// state is the answer of GET /get.
type state struct {
	Found bool    `json:"found"`
	Value string  `json:"value"`
	New   bool    `json:"new"`
	ID    core.ID `json:"id"`
	User  string  `json:"user"`
}

func get(r adaptertest.Request) error {
	p := params{r: r}
	key := p.text("key")
	if p.err != nil {
		return p.err
	}
	s := r.Session()
	value, found, err := lookup(s, key)
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, state{found, value, s.IsNew(), s.ID(), s.UserID()})
}

// lookup returns the value that /set stored as text or /incr as a number.
func lookup(s *core.Session, key string) (value string, found bool, err error) {
	value, err = core.Lookup[string](s, key)
	if err == nil || errors.Is(err, core.ErrNotFound) {
		return value, err == nil, nil
	}
	n, err := core.Lookup[int](s, key)
	if err != nil {
		return "", false, err
	}
	return strconv.Itoa(n), true, nil
}

// set reads before it waits, so that calls overlap like those of real handlers.
func set(r adaptertest.Request) error {
	p := params{r: r}
	key, value, delay, status := p.text("key"), r.Param("value"), p.delay(), p.status()
	if p.err != nil {
		return p.err
	}
	s := r.Session()
	if _, _, err := lookup(s, key); err != nil {
		return err
	}
	time.Sleep(delay) // even if the client hangs up, what was begun is finished
	s.Set(key, value)
	return answer(r, status, nothing{})
}

// incr answers with the number as it was stored: overlapping calls get
// different numbers.
func incr(r adaptertest.Request) error {
	p := params{r: r}
	key, delay := p.text("key"), p.delay()
	if p.err != nil {
		return p.err
	}
	s := r.Session()
	time.Sleep(delay)
	core.Update(s, key, func(n int) int { return n + 1 })
	if err := s.Commit(r.Context()); err != nil {
		return err
	}
	n, _ := core.Get[int](s, key)
	return r.JSON(http.StatusOK, struct {
		Value int `json:"value"`
	}{n})
}

func deleteKey(r adaptertest.Request) error {
	p := params{r: r}
	key, delay := p.text("key"), p.delay()
	if p.err != nil {
		return p.err
	}
	s := r.Session()
	time.Sleep(delay)
	s.Delete(key)
	return r.JSON(http.StatusOK, nothing{})
}

func clearAll(r adaptertest.Request) error {
	r.Session().Clear()
	return r.JSON(http.StatusOK, nothing{})
}
