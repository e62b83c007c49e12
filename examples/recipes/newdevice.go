package recipes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

// known is in a session of its own, which no login touches: a second Manager with a cookie
// of its own, a year of Remembered timeouts, and a client-side backend.
var known = core.NewKey[[]string]("known_users")

// isNewDevice reports whether user has not logged in from this browser before, and
// remembers it. Call it with the second Manager's session when a login has succeeded; mail
// after the commit. The browser learns no names, only keyed hashes.
func isNewDevice(browser *core.Session, key []byte, user string) bool {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(user))
	mark := hex.EncodeToString(h.Sum(nil)[:8])
	users, _ := known.Get(browser)
	if slices.Contains(users, mark) {
		return false
	}
	const most = 10 // of a family's computer
	known.Set(browser, append(users[max(0, len(users)-most+1):], mark))
	browser.Remember(true)
	return true
}

//recipe:end
