package bench

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
)

// fiberOn returns Fiber's own sessions on a storage. Their idle timeout works
// only if every request saves; with idle, a read saves.
func fiberOn(name string, storage fiber.Storage, idle bool) peer {
	store := session.New(session.Config{Storage: storage, Expiration: 30 * time.Minute})
	readAll := func(c *fiber.Ctx) (*session.Session, error) {
		s, err := store.Get(c)
		if err != nil {
			return nil, err
		}
		_, ok1 := s.Get("id").(int64)
		_, ok2 := s.Get("name").(string)
		_, ok3 := s.Get("role").(string)
		_, ok4 := s.Get("blob").([]byte)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			panic("a value is missing")
		}
		return s, nil
	}
	n := int64(0)
	app := fiber.New()
	app.Get("/"+fill, func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		s.Set("id", int64(1234567))
		s.Set("name", "Ann Example")
		s.Set("role", "editor")
		s.Set("blob", payload)
		return s.Save()
	})
	app.Get("/"+read, func(c *fiber.Ctx) error {
		s, err := readAll(c)
		if err != nil || !idle {
			return err
		}
		return s.Save()
	})
	app.Get("/"+write, func(c *fiber.Ctx) error {
		s, err := readAll(c)
		if err != nil {
			return err
		}
		n++
		s.Set("id", n)
		return s.Save()
	})
	app.Get("/"+login, func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		if err := s.Regenerate(); err != nil {
			return err
		}
		n++
		s.Set("user", user(n))
		return s.Save()
	})
	app.Get("/"+anonymous, func(*fiber.Ctx) error { return nil })
	return peer{name, fastApp{app.Handler()}}
}
