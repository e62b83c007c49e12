package stores

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
)

func openGorillaCookie(rest, keys string) (core.Backend, func() error, error) {
	if err := alone(rest); err != nil {
		return nil, nil, err
	}
	if _, err := core.ParseKeyring(keys); err != nil {
		return nil, nil, err
	}
	return gorillastore.Cookie(pairs(keys)...), nothing, nil
}

// pairs derives a hash key and a block key of each key, newest first, so that
// one setting serves both kinds of cookies.
func pairs(keys string) [][]byte {
	var pairs [][]byte
	for item := range strings.SplitSeq(keys, ",") {
		item = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(item), "="))
		key, err := base64.RawStdEncoding.DecodeString(item)
		if err != nil {
			continue // ParseKeyring has accepted it before
		}
		pairs = append(pairs, derive(key, "gorilla hash key"), derive(key, "gorilla block key"))
	}
	return pairs
}

func derive(key []byte, label string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(label))
	return mac.Sum(nil)
}
