package main

import (
	"net/http"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

// identified commits, since only then is the new session's ID known, and
// answers with it.
func identified(r adaptertest.Request) error {
	s := r.Session()
	if err := s.Commit(r.Context()); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, struct {
		ID core.ID `json:"id"`
	}{s.ID()})
}

func login(r adaptertest.Request) error {
	p := params{r: r}
	user, remember := p.text("user"), p.on("remember")
	if p.err != nil {
		return p.err
	}
	s := r.Session()
	s.Login(user)
	if remember {
		s.Remember(true)
	}
	return identified(r)
}

func logout(r adaptertest.Request) error {
	s := r.Session()
	s.Logout()
	if text := r.Param("flash"); text != "" {
		s.Flash("info", text)
	}
	return identified(r)
}

func renew(r adaptertest.Request) error {
	r.Session().Renew()
	return identified(r)
}

func sessions(r adaptertest.Request) error {
	found, err := r.Session().List(r.Context())
	if err != nil {
		return err
	}
	if found == nil {
		found = []core.Info{} // [] and not null
	}
	return r.JSON(http.StatusOK, found)
}

func revoke(r adaptertest.Request) error {
	p := params{r: r}
	id := p.id("id")
	if p.err != nil {
		return p.err
	}
	if err := r.Session().RevokeOwn(r.Context(), id); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, nothing{})
}

func revokeOthers(r adaptertest.Request) error {
	if err := r.Session().RevokeOthers(r.Context()); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, nothing{})
}

// revokeUser is open to anybody: this is a probe.
func (p probe) revokeUser(r adaptertest.Request) error {
	q := params{r: r}
	user := q.text("user")
	if q.err != nil {
		return q.err
	}
	if _, err := p.m.RevokeUser(r.Context(), user); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, nothing{})
}

// revokeAll is open to anybody: this is a probe.
func (p probe) revokeAll(r adaptertest.Request) error {
	if err := p.m.RevokeAll(r.Context()); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, nothing{})
}
