package core_test

import (
	"fmt"
	"os"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// A Config and, beside it, the keys of client-side sessions from the environment.
func ExampleConfigFromEnv() {
	for name, value := range map[string]string{
		"SHOP_IDLE_TIMEOUT_IN_MINUTES": "15",
		"SHOP_LIFETIME_IN_HOURS":       "0",
		"SHOP_COOKIE_SAME_SITE":        "strict",
		"SHOP_KEYS":                    sealed.GenerateKey() + "," + sealed.GenerateKey(),
	} {
		_ = os.Setenv(name, value)
		defer func() { _ = os.Unsetenv(name) }()
	}

	config, err := core.ConfigFromEnv("SHOP_")
	if err != nil {
		panic(err)
	}
	keys, err := sealed.ParseKeyring(os.Getenv("SHOP_KEYS"))
	if err != nil {
		panic(err)
	}
	fmt.Println(config.IdleTimeout, config.Lifetime == core.NoTimeout, config.Cookie.SameSite, keys)

	sessions, err := core.New(core.ClientSide(sealed.Cookie(keys)), config)
	fmt.Println(sessions, err)

	_ = os.Setenv("SHOP_LIFETIME_IN_HOURS", "a day")
	_, err = core.ConfigFromEnv("SHOP_")
	fmt.Println(err)
	// Output:
	// 15m0s true Strict sealed.Keyring(2 keys)
	// core.Manager(__Host-session) <nil>
	// core: session configuration: SHOP_LIFETIME_IN_HOURS is "a day": use a number, or 0 for no timeout
}
