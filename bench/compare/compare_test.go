// Package compare holds session libraries against each other.
//
// Each library has a small application, with the same routes, written as its documentation
// says. A driver that knows only HTTP, cookies and Redis runs the same cases on all of them.
// What it finds is docs/comparison.md, and no word of a result there is written by hand.
//
//	make compare          # run, and write docs/comparison.md and the README's table
//	make compare-check    # run, and fail if they would change
package compare

import (
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	fiber2log "github.com/gofiber/fiber/v2/log"
	fiber3log "github.com/gofiber/fiber/v3/log"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

var write = flag.Bool("write", false, "write docs/comparison.md and the README's table")

// server is the one Redis server of the run.
var server *redistest.Server

func TestMain(m *testing.M) {
	flag.Parse()
	quiet()
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		log.Fatal(err)
	}
	server, err = redistest.Launch(dir, redistest.Args("--databases", fmt.Sprint(databases)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Kill()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// quiet discards what libraries log about the errors that cases provoke.
func quiet() {
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	gin.DefaultWriter, gin.DefaultErrorWriter = io.Discard, io.Discard
	fiber2log.SetOutput(io.Discard)
	fiber3log.SetOutput(io.Discard)
	redis.SetLogger(&logging.VoidLogger{})
}

// libraries are the columns.
func libraries() []library {
	return []library{
		satchelRedis(), satchelFiber(), satchelCookie(),
		gorillaCookie(), gorillaRedis(), ginContrib(), echoContrib(), scsRedis(), fiber2(), fiber3(),
	}
}

// cell is one result, with those under the library's options.
type cell struct {
	verdict
	with []optional
}

type optional struct {
	option string
	verdict
}

// results are the cells by case and library.
type results map[string]map[string]cell

func TestComparison(t *testing.T) {
	found := results{}
	var mu sync.Mutex
	t.Run("run", func(t *testing.T) {
		for _, g := range groups {
			for _, k := range g.cases {
				found[k.id] = map[string]cell{}
				for _, lib := range append(libraries(), specimens()...) {
					t.Run(k.id+"/"+lib.column(), func(t *testing.T) {
						t.Parallel()
						result := judge(t, k, lib)
						mu.Lock()
						defer mu.Unlock()
						found[k.id][lib.column()] = result
					})
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	t.Run("each case can say yes and no", func(t *testing.T) {
		for _, g := range groups {
			for _, k := range g.cases {
				seen := map[mark]bool{}
				for _, result := range found[k.id] {
					seen[result.mark] = true
				}
				if !seen[yes] || !seen[no] {
					t.Errorf("%s says yes: %v, no: %v", k.id, seen[yes], seen[no])
				}
			}
		}
	})
	publish(t, found)
}

// judge runs a case on a library, and again with the options that are meant for it.
func judge(t *testing.T, k comparison, lib library) cell {
	result := cell{verdict: try(t, k, lib, "")}
	if result.mark != no {
		return result
	}
	for _, o := range lib.options {
		for _, id := range o.cases {
			if id == k.id {
				result.with = append(result.with, optional{o.name, try(t, k, lib, o.name)})
			}
		}
	}
	return result
}

// try runs a case. The case may end itself early with a verdict.
func try(t *testing.T, k comparison, lib library, option string) (result verdict) {
	defer func() {
		if v := recover(); v != nil {
			early, ok := v.(verdict)
			if !ok {
				panic(v)
			}
			result = early
		}
	}()
	return k.run(&check{t, lib, option})
}

// column is the head of the library's column, and names it in tests.
func (l library) column() string {
	if l.name == "careless" || l.name == "Satchel" && l.framework != "net/http" {
		return l.name + ", " + l.backend + ", " + l.framework
	}
	return l.name + ", " + l.backend
}
