// Package browser tests the demo applications in a real browser: Chromium
// without a window. It has tests only.
package browser
