#include <cstdio>

int main()
{
    std::puts("fovea 0.1.0");
    return 0;
}
