// Package core gives web applications sessions and flash messages.
package core
