package bench

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
)

// fiberSessions returns Fiber's own sessions on a storage, or in memory if that is nil.
// Their idle timeout works only if every request saves; with idle, a read saves. A flash
// is a value that the page deletes.
func fiberSessions(name string, storage fiber.Storage, idle bool) peer {
	store := session.New(session.Config{Storage: storage, Expiration: 30 * time.Minute})
	fillAll := func(s *session.Session) {
		s.Set("id", int64(1234567))
		s.Set("name", "Ann Example")
		s.Set("role", "editor")
		s.Set("blob", payload)
	}
	readAll := func(s *session.Session) {
		_, ok1 := s.Get("id").(int64)
		_, ok2 := s.Get("name").(string)
		_, ok3 := s.Get("role").(string)
		_, ok4 := s.Get("blob").([]byte)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			panic("a value is missing")
		}
	}
	count := counter()
	steps := stepsWith(map[string]func(*session.Session){
		fill:   fillAll,
		member: func(s *session.Session) { fillAll(s); s.Set("user", userOf18(count())) },
		read:   readAll,
		write:  func(s *session.Session) { readAll(s); s.Set("id", count()) },
		login: func(s *session.Session) {
			must(s.Regenerate())
			s.Set("user", user(count()))
		},
		notify: func(s *session.Session) { s.Set("flash", notice) },
		show: func(s *session.Session) {
			text, _ := s.Get("flash").(string)
			shown(text)
			s.Delete("flash")
		},
	}, func(step func(*session.Session)) fiberStep {
		return func(c *fiber.Ctx) {
			s, err := store.Get(c)
			must(err)
			step(s)
			must(s.Save())
		}
	})
	if !idle {
		steps[read] = func(c *fiber.Ctx) {
			s, err := store.Get(c)
			must(err)
			readAll(s)
		}
	}
	return fiberOn(name, nil, steps)
}
