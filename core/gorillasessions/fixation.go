package gorillasessions

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/satchel-go/satchel/core"
)

// renewedKey is the key under which the session counts how often a Save has renewed
// it. No gorilla session owns it, because a name is not empty.
const renewedKey = keyPrefix + ":renewed"

// patience is how long after its load a request may still join the session that
// another request has renewed.
const patience = 30 * time.Second

// origin is what the request's session was when it was loaded or last saved.
type origin struct {
	id            core.ID
	user          string
	authenticated time.Time
	renewals      int64
	at            time.Time
	own           bool // its token was made in this request, so nobody else can have it
}

func originOf(s *core.Session) origin {
	renewals, _ := core.Get[int64](s, renewedKey)
	return origin{id: s.ID(), user: s.UserID(), authenticated: s.AuthenticatedAt(), renewals: renewals, at: time.Now()}
}

// mayLogIn reports whether the edits may be a login. Gorilla's sessions have no
// method for that, and any value may say who the client is.
func (o *onRequest) mayLogIn(r *http.Request, p *part, edits []edit) bool {
	if o.m.Traits().ClientSide {
		return false // the token is the state: a planted one stays what it was
	}
	for i := range edits {
		e := &edits[i]
		if e.gone || e.merges() || o.Exempt != nil && o.Exempt(p.name, e.id) {
			continue
		}
		if isZero(e.before.decoded()) || !ordinary(r) {
			return true
		}
	}
	return false
}

// ordinary reports whether r is a visit of a page from this site, on which values
// such as counters may change. Browsers say where it comes from; an answer of an
// identity provider comes from elsewhere.
func ordinary(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin"
}

// isZero reports whether v is nothing yet: an absent value, false, 0, "" or an
// empty map.
func isZero(v any) bool {
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Pointer:
		value = value.Elem()
	case reflect.Map, reflect.Slice:
		return value.Len() == 0
	}
	return !value.IsValid() || value.IsZero()
}

// renew gives the session a new token together with its edits.
func (o *onRequest) renew() (renewed bool, _ error) {
	if o.from.own || o.session.IsNew() {
		return false, nil
	}
	if o.session.HeaderSent() {
		return false, errLateLogin
	}
	o.session.Renew()
	o.session.Set(renewedKey, o.from.renewals+1)
	return true, nil
}

// saved notes what a Save has stored, and whether that made the token.
func (o *onRequest) saved(own bool) {
	own = own || o.from.own
	o.from = originOf(o.session)
	o.from.own = own
}

// join stores edits in a session that another request's Save has renewed since this
// one loaded it: as if this Save had come first. It changes no value that has changed
// since, hands out no token, and does nothing after a login or logout by Satchel.
//
// It is not for edits that may be a login. The client that has the new token may be
// another than this one: of a planted token, either can be the first to renew it.
func (o *onRequest) join(ctx context.Context, edits []edit, ended error) error {
	from := &o.from
	if from.id.IsZero() || time.Since(from.at) > patience {
		return ended
	}
	err := o.m.Update(ctx, from.id, func(s *core.Session) error {
		now := originOf(s)
		if now.renewals <= from.renewals || now.user != from.user || !now.authenticated.Equal(from.authenticated) {
			return ended
		}
		for i := range edits {
			e := &edits[i]
			newest, err := read(s, e.key)
			if err != nil && !errors.Is(err, core.ErrNotFound) {
				continue
			}
			if e.merges() || newest.is(e.before.decoded()) {
				e.apply(s)
			}
		}
		return nil
	})
	if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrUnsupported) {
		return ended
	}
	return err
}
