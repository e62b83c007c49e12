package gorillastore

import (
	"bytes"
	"crypto/rand"
	"encoding/gob"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/gorilla/sessions"
)

// FiberConfig says where and how Fiber's session middleware has kept its sessions. Set
// Storage, and CookieSessionOnly if the application has.
type FiberConfig struct {
	// Storage is the application's, of Fiber v2 or v3. If it has set none, the Storage of
	// its session.Store is Fiber's memory.
	Storage FiberStorage

	// CookieSessionOnly is Fiber's: its cookies end with the browser. Otherwise sessions
	// that Fiber began are remembered.
	CookieSessionOnly bool
}

// FiberStorage is what is needed of a fiber.Storage. It must be safe for concurrent use.
type FiberStorage interface {
	// Get returns nil if there is no such key.
	Get(key string) ([]byte, error)
	Set(key string, val []byte, exp time.Duration) error
	Delete(key string) error
}

// FiberV2 returns a store for [From] on the sessions of Fiber v2's session middleware:
//
//	backend := gorillastore.From(
//		gorillastore.FiberV2(gorillastore.FiberConfig{Storage: old.Storage}), // old is the *session.Store
//		gorillastore.FromConfig{UserKey: "user"},
//	)
//
// Programs on Fiber's middleware and on Satchel take turns on one session. Config.Cookie
// has the name of Fiber's cookie, which is "session_id" by default. Sessions whose IDs
// travel in headers or queries are not found. Types of an application's own need
// gob.Register, as Fiber's RegisterType does.
func FiberV2(c FiberConfig) sessions.Store { return &fiberStore[string]{c} }

// FiberV3 is [FiberV2] for the sessions of Fiber v3, whose AbsoluteTimeout ends a session
// until it has moved. Keys that are not strings do not move.
func FiberV3(c FiberConfig) sessions.Store { return &fiberStore[any]{c} }

// fiberStore keeps sessions as Fiber does: as a map in gob, under its ID.
type fiberStore[K comparable] struct{ config FiberConfig }

// Format implements [fmt.Formatter]: no verb prints anything of the storage.
func (*fiberStore[K]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "gorillastore.Fiber") }

// Get implements [sessions.Store].
func (s *fiberStore[K]) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New implements [sessions.Store].
func (s *fiberStore[K]) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options, session.IsNew = &sessions.Options{Path: "/"}, true
	if !s.config.CookieSessionOnly {
		session.Options.MaxAge = int(defaultMaxAge / time.Second)
	}
	c, err := r.Cookie(name)
	if err != nil {
		return session, nil
	}
	data, err := s.config.Storage.Get(c.Value)
	if err != nil || len(data) == 0 {
		return session, err
	}
	session.ID = c.Value
	stored := map[K]any{} // not nil: gob would make it as large as the data says it is
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&stored); err != nil {
		return session, err
	}
	for key, v := range stored {
		if isPast(key, v) {
			return session, nil
		}
		session.Values[key] = v
	}
	if texts, ok := session.Values[flashKey].([]string); ok {
		session.Values[flashKey] = converted(texts, func(text string) (any, bool) { return text, true })
	}
	session.IsNew = false
	return session, nil
}

// isPast reports whether v is Fiber v3's end of a session, and over.
func isPast(key, v any) bool {
	end, ok := v.(time.Time)
	return ok && reflect.TypeOf(key).String() == "session.absExpirationKeyType" && !end.IsZero() && time.Now().After(end)
}

// converted returns list as To, or nil if one element cannot be converted.
func converted[From, To any](list []From, convert func(From) (To, bool)) []To {
	all := make([]To, len(list))
	for i, v := range list {
		var ok bool
		if all[i], ok = convert(v); !ok {
			return nil
		}
	}
	return all
}

// Save implements [sessions.Store].
func (s *fiberStore[K]) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if session.Options.MaxAge <= 0 {
		http.SetCookie(w, sessions.NewCookie(session.Name(), "", session.Options))
		return s.config.Storage.Delete(session.ID)
	}
	stored := make(map[K]any, len(session.Values))
	for key, v := range session.Values {
		k, ok := key.(K)
		if !ok {
			return fmt.Errorf("fiber keeps no key of type %T", key)
		}
		stored[k] = v
		if list, ok := v.([]any); ok && key == flashKey { // a []any would need gob.Register in Fiber's programs
			if texts := converted(list, func(v any) (string, bool) { text, ok := v.(string); return text, ok }); texts != nil {
				stored[k] = texts
			}
		}
	}
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(stored); err != nil {
		return err
	}
	if session.ID == "" {
		session.ID = rand.Text() + rand.Text()
	}
	if err := s.config.Storage.Set(session.ID, data.Bytes(), time.Duration(session.Options.MaxAge)*time.Second); err != nil {
		return err
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}
