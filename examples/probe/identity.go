package main

import (
	"net/http"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

// identified commits, for only then is the new session's ID known, and
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

// info is a session in the answer of GET /sessions.
type info struct {
	ID       core.ID   `json:"id"`
	User     string    `json:"user"`
	Label    string    `json:"label"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
	Current  bool      `json:"current"`
}

func sessions(r adaptertest.Request) error {
	found, err := r.Session().List(r.Context())
	if err != nil {
		return err
	}
	list := make([]info, 0, len(found)) // [] and not null
	for _, i := range found {
		list = append(list, info{i.ID, i.User, i.Label, i.CreatedAt, i.LastSeen, i.ExpiresAt, i.Current})
	}
	return r.JSON(http.StatusOK, list)
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

// revokeUser is for anybody: it is a probe.
func (p probe) revokeUser(r adaptertest.Request) error {
	q := params{r: r}
	user := q.text("user")
	if q.err != nil {
		return q.err
	}
	if err := p.m.RevokeUser(r.Context(), user); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, nothing{})
}

// revokeAll is for anybody: it is a probe.
func (p probe) revokeAll(r adaptertest.Request) error {
	if err := p.m.RevokeAll(r.Context()); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, nothing{})
}
