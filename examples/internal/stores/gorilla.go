package stores

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/sealed"
)

func openGorillaCookie(rest, keys string) (core.Backend, func() error, error) {
	if err := alone(rest); err != nil {
		return nil, nil, err
	}
	pairs, err := gorillaKeys(keys)
	if err != nil {
		return nil, nil, err
	}
	return gorillastore.Cookie(sessions.NewCookieStore(pairs...), gorillastore.CookieConfig{}), nothing, nil
}

// gorillaKeys derives gorilla's pairs of hash key and block key from the keys
// of a [sealed.Keyring], newest first, so that one setting serves every store. An
// application gives gorillastore its own keys instead.
func gorillaKeys(keys string) ([][]byte, error) {
	if _, err := sealed.ParseKeyring(keys); err != nil {
		return nil, err // it decides what a key is
	}
	// One spelling for everything that ParseKeyring accepts.
	bare := strings.NewReplacer("-", "+", "_", "/", "=", "")
	var pairs [][]byte
	for item := range strings.SplitSeq(keys, ",") {
		key, err := base64.RawStdEncoding.DecodeString(bare.Replace(strings.TrimSpace(item)))
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, derive(key, "hash key"), derive(key, "block key"))
	}
	return pairs, nil
}

func derive(key []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("satchel examples: gorilla " + purpose))
	return mac.Sum(nil)
}
