// Package browser tests the demo applications in a real browser, headless
// Chromium. It has tests only.
package browser
