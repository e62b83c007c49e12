package recipes

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync"
)

// accounts stands for your application's table of users. Yours keeps slow
// hashes (argon2id, bcrypt) in a database.
type accounts struct {
	mu     sync.Mutex
	hashes map[string][sha256.Size]byte
}

var users = &accounts{hashes: map[string][sha256.Size]byte{}}

// set gives name a password.
func (a *accounts) set(name, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hashes[name] = sha256.Sum256([]byte(password))
}

// check reports whether name has that password.
func (a *accounts) check(name, password string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	want, ok := a.hashes[name]
	got := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && ok
}

// names is a set.
type names struct {
	mu  sync.Mutex
	all map[string]bool
}

// admins stands for your application's list of administrators.
var admins = &names{all: map[string]bool{"root": true}}

func (n *names) has(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all[name]
}

func (n *names) set(name string, in bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all[name] = in
}
