// A program that does nothing: headers are precompiled for a target, and with its flags.
int main() { return 0; }
