// Package gorillastore makes sessions of stores written for gorilla/sessions.
package gorillastore

import (
	_ "github.com/gorilla/securecookie"    // placeholder: keeps go.sum complete
	_ "github.com/gorilla/sessions"        // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/core" // placeholder: keeps go.sum complete
)
