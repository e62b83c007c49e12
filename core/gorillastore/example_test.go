package gorillastore_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// The keys of an application that uses gorilla/sessions.
var hashKey, blockKey = securecookie.GenerateRandomKey(32), securecookie.GenerateRandomKey(32)

// Sessions that gorilla began go on in Satchel.
func Example() {
	// A response of the application as it was …
	before := sessions.NewCookieStore(hashKey, blockKey)
	r, w := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil), httptest.NewRecorder()
	old, _ := before.Get(r, "app")
	old.Values["visits"] = 41
	if err := old.Save(r, w); err != nil {
		fmt.Println(err)
	}

	// … and a request to it as it is now.
	m, err := core.New(gorillastore.Cookie(before, gorillastore.CookieConfig{}), core.Config{Cookie: core.Cookie{Name: "app"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		core.Update(s, "visits", func(n int) int { return n + 1 })
		visits, _ := core.Get[int](s, "visits")
		fmt.Fprintln(w, "visits:", visits)
	}))
	r = httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", w.Header().Get("Set-Cookie"))
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Body.String())
	// Output: visits: 42
}

// Weak keys are found before the first request.
func ExampleCookie() {
	store := sessions.NewCookieStore([]byte("secret"))
	_, err := core.New(gorillastore.Cookie(store, gorillastore.CookieConfig{}), core.Config{})
	fmt.Println(err != nil)
	// Output: true
}

// Sessions in a store that other applications use with gorilla/sessions, or with
// what is built on it.
func ExampleFrom() {
	store := sessions.NewFilesystemStore("/var/lib/app/sessions", hashKey, blockKey)
	_, err := core.New(gorillastore.From(store, gorillastore.FromConfig{}), core.Config{Cookie: core.Cookie{Name: "app"}})
	fmt.Println(err)
	// Output: <nil>
}

// Sessions that other applications keep in Redis with rbcervilla/redisstore.
func ExampleRedisCompatible() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	backend := gorillastore.RedisCompatible(client, gorillastore.CompatibleConfig{
		KeyPrefix: "app:session:", // as it was given to redisstore's KeyPrefix
	})
	sessions, err := core.New(backend, core.Config{Cookie: core.Cookie{Name: "app"}})
	if err != nil {
		log.Fatal(err)
	}
	_ = sessions // for the middleware
}

// A store with settings of its own: here, the life of sessions that gorilla began.
func ExampleCookie_maxAge() {
	store := sessions.NewCookieStore(hashKey, blockKey)
	store.MaxAge(7 * 24 * 60 * 60)
	_, err := core.New(gorillastore.Cookie(store, gorillastore.CookieConfig{}), core.Config{})
	fmt.Println(err)
	// Output: <nil>
}
