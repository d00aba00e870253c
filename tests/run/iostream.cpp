// Streams: formatted output, string streams, locale facets, input; their static initialisation comes first.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic | -O0 -mcmodel=large -fno-pic
//# MoreFlags: -O2 -fPIC | -O2 -ffunction-sections -fdata-sections
//# Stdin: 12 words here
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
static struct Early { Early() { std::cout << "early\n"; } } early;
int main() {
    int n;
    std::string first, second;
    std::cin >> n >> first >> second;
    std::cout << n + 1 << ' ' << second << ' ' << first << '\n';
    std::ostringstream text;
    text << std::hex << std::showbase << 255 << ' ' << std::setprecision(3) << 3.14159 << std::setw(6) << true;
    std::cout << text.str() << std::endl;
    std::cerr << "error stream\n";
    std::cout << std::boolalpha << std::cin.eof() << std::cout.good() << '\n';
}
