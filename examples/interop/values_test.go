package interop_test

import (
	"bytes"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"github.com/markbates/goth"
	"github.com/shopspring/decimal"
	"golang.org/x/oauth2"

	"github.com/satchel-go/satchel/core"
)

// account is a user as web applications have it.
type account struct {
	ID      uuid.UUID
	Balance decimal.Decimal
	Limit   *decimal.Decimal
	Token   *oauth2.Token
	Roles   map[uuid.UUID]string
}

// TestValuesOfOtherLibraries: types that applications put into sessions come back, or
// are refused.
func TestValuesOfOtherLibraries(t *testing.T) {
	id := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	price := decimal.NewFromBigInt(big.NewInt(12345), -2)
	token := &oauth2.Token{AccessToken: "a", RefreshToken: "r", TokenType: "Bearer", Expiry: time.Unix(1_800_000_000, 0).UTC()}
	for name, c := range map[string]struct {
		v    any
		kept bool
	}{
		"uuid.UUID":            {id, true},
		"uuid.NullUUID":        {uuid.NullUUID{UUID: id, Valid: true}, true},
		"decimal.Decimal":      {price, true},
		"decimal.NullDecimal":  {decimal.NewNullDecimal(price), true},
		"*oauth2.Token":        {token, true},
		"oauth2.Config":        {oauth2.Config{ClientID: "a", Scopes: []string{"b"}}, true},
		"oauth2.TokenSource":   {oauth2.StaticTokenSource(token), false},
		"oidc.UserInfo":        {oidc.UserInfo{Subject: "a", Email: "b"}, true},
		"*oidc.Provider":       {&oidc.Provider{}, false},
		"goth.User":            {goth.User{UserID: "a", RawData: map[string]any{"b": "c"}}, true},
		"an application's own": {account{ID: id, Balance: price, Limit: &price, Token: token, Roles: map[uuid.UUID]string{id: "admin"}}, true},
	} {
		for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
			data, err := codec.Encode(c.v)
			if (err == nil) != c.kept {
				t.Errorf("%s, %T: %v", name, codec, err)
			}
			if err != nil {
				continue
			}
			back := reflect.New(reflect.TypeOf(c.v))
			if err := codec.Decode(data, back.Interface()); err != nil {
				t.Errorf("%s, %T: it does not come back: %v", name, codec, err)
				continue
			}
			if again, err := codec.Encode(back.Elem().Interface()); err != nil || !bytes.Equal(again, data) {
				t.Errorf("%s, %T: comes back as %q, %v, not %q", name, codec, again, err, data)
			}
		}
	}
}
