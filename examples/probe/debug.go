package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"time"
)

// vitals are the answer of the debug address: figures that must not keep growing.
type vitals struct {
	Goroutines int    `json:"goroutines"`
	Heap       uint64 `json:"heap"`     // bytes that a collection leaves
	Sessions   int    `json:"sessions"` // in memory; -1 if kept elsewhere
}

// serveDebug answers every request at addr with the process's vitals, until
// the returned function is called. The address must be a loopback one.
func serveDebug(ctx context.Context, addr string, sessions func() int) (where string, closer func() error, err error) {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return "", nil, errors.New("-debug: want a loopback address and a port, such as 127.0.0.1:0")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		v := vitals{Sessions: -1}
		if sessions != nil {
			v.Sessions = sessions()
		}
		runtime.GC()
		// What requests have allocated since then does not count.
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		v.Heap, v.Goroutines = live[0].Value.Uint64(), runtime.NumGoroutine()
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
	})}
	go func() { _ = server.Serve(l) }() // ends by Close
	return fmt.Sprintf("http://%s", l.Addr()), server.Close, nil
}
